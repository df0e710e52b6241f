//! The boot-image file system: serves the image that the boot loader left in memory, read-only, at
//! `/`. Reads go straight from the image to the client, and mappings are the image's own pages.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![forbid(unsafe_code)]

#[cfg(target_os = "none")]
extern crate alloc;

#[cfg(target_os = "none")]
mod server;

#[cfg(target_os = "none")]
mod program {
    use neutrino_rt::abi::image::Image;
    use neutrino_rt::abi::message::chf;
    use neutrino_rt::start::Arguments;
    use neutrino_rt::{channel, log, memory};
    use resmgr::{Engine, serve};

    fn main(_arguments: &Arguments) -> i32 {
        let (object, bytes) = match memory::boot_image() {
            Ok(image) => image,
            Err(errno) => {
                log!("fs-boot: cannot map the boot image: {errno}; is this process privileged?");
                return 1;
            }
        };
        let image = match Image::new(bytes) {
            Ok(image) => image,
            Err(error) => {
                log!("fs-boot: the boot image is corrupt ({error:?}); build it again");
                return 1;
            }
        };
        let mut engine = Engine::new(super::server::BootImage::new(object, image));
        let result = channel::create(chf::DISCONNECT | chf::UNBLOCK).and_then(|chid| {
            engine.attach(chid, "/", 0, io_msg::proc::ATTACH_DIRECTORY)?;
            Err(serve(&mut engine, chid)) as Result<(), _>
        });
        if let Err(errno) = result {
            log!("fs-boot: cannot serve /: {errno}");
        }
        1
    }

    neutrino_rt::entry!(main);
}

#[cfg(not(target_os = "none"))]
fn main() {}
