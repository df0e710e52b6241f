/* Regular files: open flags, positions, sizes, names, times. */
#include "check.h"
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>

static int create(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    return fd;
}

static struct stat info_of(const char *path)
{
    struct stat info;
    CHECK(lstat(path, &info) == 0);
    return info;
}

static void open_flags_do_what_they_say(void)
{
    char text[16];
    enter_scratch();
    CHECK_ERRNO(open("file", O_RDONLY), ENOENT);
    int fd = open("file", O_WRONLY | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0 && write(fd, "12345", 5) == 5);
    CHECK_ERRNO(read(fd, text, 1), EBADF);
    CHECK_ERRNO(open("file", O_WRONLY | O_CREAT | O_EXCL, 0640), EEXIST);
    CHECK((info_of("file").st_mode & 07777) == 0640 && S_ISREG(info_of("file").st_mode));
    fd = open("file", O_RDONLY);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
    CHECK_ERRNO(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
    CHECK(open("file", O_WRONLY | O_TRUNC) >= 0 && info_of("file").st_size == 0);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("file/below", O_RDONLY), ENOTDIR);
}

static void append_writes_at_the_end_whoever_moved_it(void)
{
    char text[32];
    enter_scratch();
    int one = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);
    int two = open("log", O_WRONLY | O_APPEND);
    CHECK(write(one, "a", 1) == 1 && write(two, "b", 1) == 1 && write(one, "c", 1) == 1);
    CHECK(lseek(one, 0, SEEK_SET) == 0 && write(one, "d", 1) == 1);
    CHECK(lseek(one, 0, SEEK_CUR) == 4);
    CHECK(read_file("log", text, sizeof text) == 4 && strcmp(text, "abcd") == 0);
}

static void lseek_moves_and_refuses(void)
{
    enter_scratch();
    int fd = create("file");
    CHECK(write(fd, "0123456789", 10) == 10);
    CHECK(lseek(fd, 0, SEEK_CUR) == 10 && lseek(fd, -3, SEEK_END) == 7);
    CHECK(lseek(fd, 2, SEEK_SET) == 2 && lseek(fd, 2, SEEK_CUR) == 4);
    char byte;
    CHECK(read(fd, &byte, 1) == 1 && byte == '4');
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERRNO(lseek(fd, 0, 99), EINVAL);
    CHECK(lseek(fd, 100, SEEK_END) == 110 && read(fd, &byte, 1) == 0);
    CHECK(info_of("file").st_size == 10);
}

static void holes_read_as_zero_and_take_no_room(void)
{
    enum { FAR = 1 << 28 };
    char block[4096];
    enter_scratch();
    int fd = create("sparse");
    CHECK(pwrite(fd, "end", 3, FAR) == 3);
    struct stat info = info_of("sparse");
    CHECK(info.st_size == FAR + 3 && info.st_blocks < 4096);
    CHECK(pread(fd, block, sizeof block, FAR / 2) == sizeof block);
    for (size_t i = 0; i < sizeof block; i++)
        CHECK(block[i] == 0);
    CHECK(pread(fd, block, sizeof block, FAR) == 3 && memcmp(block, "end", 3) == 0);
}

static void a_hole_that_is_filled_keeps_its_neighbours(void)
{
    enum { PAGE = 4096 };
    static char all[64 * PAGE];
    enter_scratch();
    int fd = create("sparse");
    CHECK(ftruncate(fd, sizeof all) == 0 && info_of("sparse").st_blocks < 64);
    CHECK(pwrite(fd, "a", 1, 10 * PAGE) == 1 && pwrite(fd, "c", 1, 12 * PAGE) == 1);
    CHECK(pwrite(fd, "b", 1, 11 * PAGE - 1) == 1);
    CHECK(info_of("sparse").st_size == sizeof all);
    CHECK(pread(fd, all, sizeof all, 0) == sizeof all);
    CHECK(all[10 * PAGE] == 'a' && all[11 * PAGE - 1] == 'b' && all[12 * PAGE] == 'c');
    for (size_t i = 0; i < sizeof all; i++)
        CHECK(all[i] == 0 || i == 10 * PAGE || i == 11 * PAGE - 1 || i == 12 * PAGE);
}

static void space_that_is_reserved_is_there(void)
{
    enter_scratch();
    int fd = create("reserved");
    CHECK(write(fd, "data", 4) == 4);
    CHECK(posix_fallocate(fd, 0, 1 << 20) == 0);
    struct stat info = info_of("reserved");
    CHECK(info.st_size == 1 << 20 && info.st_blocks >= (1 << 20) / 512);
    char text[8];
    CHECK(pread(fd, text, sizeof text, 0) == 8 && memcmp(text, "data\0\0\0\0", 8) == 0);
}

static void truncation_cuts_and_grows_with_zeros(void)
{
    char text[16];
    enter_scratch();
    int fd = create("file");
    CHECK(write(fd, "abcdefgh", 8) == 8);
    CHECK(ftruncate(fd, 3) == 0 && info_of("file").st_size == 3);
    CHECK(ftruncate(fd, 6) == 0 && pread(fd, text, 16, 0) == 6);
    CHECK(memcmp(text, "abc\0\0\0", 6) == 0);
    CHECK(truncate("file", 1) == 0 && info_of("file").st_size == 1);
    CHECK(lseek(fd, 0, SEEK_CUR) == 8);
    CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
    CHECK_ERRNO(truncate(".", 0), EISDIR);
    int read_only = open("file", O_RDONLY);
    CHECK_ERRNO(ftruncate(read_only, 0), EINVAL);
}

static void positioned_and_vector_calls_agree_with_plain_ones(void)
{
    char one[4], two[4], all[16];
    enter_scratch();
    int fd = create("file");
    struct iovec out[] = { { "abc", 3 }, { "defg", 4 } };
    struct iovec in[] = { { one, 4 }, { two, 4 } };
    CHECK(writev(fd, out, 2) == 7);
    CHECK(pwrite(fd, "XY", 2, 1) == 2 && lseek(fd, 0, SEEK_CUR) == 7);
    CHECK(pread(fd, all, 16, 0) == 7 && memcmp(all, "aXYdefg", 7) == 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, in, 2) == 7);
    CHECK(memcmp(one, "aXYd", 4) == 0 && memcmp(two, "efg", 3) == 0);
    CHECK(readv(fd, in, 2) == 0);
    CHECK(pwritev(fd, out, 2, 7) == 7 && preadv(fd, in, 2, 7) == 7);
    CHECK(memcmp(one, "abcd", 4) == 0);
    CHECK_ERRNO(readv(fd, in, -1), EINVAL);
    CHECK_ERRNO(pread(fd, all, 1, -1), EINVAL);
}

static void rename_replaces_in_one_step(void)
{
    char text[16];
    enter_scratch();
    write_file("one", "1");
    write_file("two", "2");
    ino_t inode = info_of("one").st_ino;
    CHECK(rename("one", "two") == 0);
    CHECK(read_file("two", text, sizeof text) == 1 && text[0] == '1');
    CHECK(info_of("two").st_ino == inode);
    CHECK_ERRNO(access("one", F_OK), ENOENT);
    CHECK_ERRNO(rename("none", "two"), ENOENT);
    CHECK(mkdir("dir", 0755) == 0 && mkdir("dir/sub", 0755) == 0 && mkdir("empty", 0755) == 0);
    CHECK_ERRNO(rename("two", "dir"), EISDIR);
    CHECK_ERRNO(rename("dir", "two"), ENOTDIR);
    CHECK_ERRNO(rename("dir", "dir/sub/x"), EINVAL);
    CHECK_ERRNO(rename("empty", "dir"), ENOTEMPTY);
    CHECK(rename("two", "dir/sub/three") == 0 && access("dir/sub/three", F_OK) == 0);
    CHECK(rename("dir", "empty") == 0 && access("empty/sub/three", F_OK) == 0);
    CHECK(rename("empty/sub/three", "empty/sub/three") == 0);
}

static void hard_links_are_the_same_file(void)
{
    char text[16];
    enter_scratch();
    write_file("one", "same");
    CHECK(link("one", "two") == 0);
    CHECK(info_of("one").st_nlink == 2 && info_of("one").st_ino == info_of("two").st_ino);
    CHECK_ERRNO(link("one", "two"), EEXIST);
    CHECK_ERRNO(link("none", "three"), ENOENT);
    CHECK(mkdir("dir", 0755) == 0);
    CHECK_ERRNO(link("dir", "three"), EPERM);
    CHECK(unlink("one") == 0 && info_of("two").st_nlink == 1);
    CHECK(read_file("two", text, sizeof text) == 4 && strcmp(text, "same") == 0);
}

static void symbolic_links_are_followed_or_not(void)
{
    char text[16];
    enter_scratch();
    write_file("target", "found");
    CHECK(symlink("target", "link") == 0);
    CHECK_ERRNO(symlink("target", "link"), EEXIST);
    CHECK(readlink("link", text, sizeof text) == 6 && memcmp(text, "target", 6) == 0);
    CHECK(readlink("link", text, 3) == 3);
    CHECK_ERRNO(readlink("target", text, sizeof text), EINVAL);
    CHECK(S_ISLNK(info_of("link").st_mode) && info_of("link").st_size == 6);
    CHECK(read_file("link", text, sizeof text) == 5);
    CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK(symlink("loop", "loop") == 0);
    CHECK_ERRNO(open("loop", O_RDONLY), ELOOP);
    CHECK(symlink("nowhere", "dangling") == 0);
    CHECK_ERRNO(open("dangling", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK(close(open("dangling", O_WRONLY | O_CREAT, 0600)) == 0 && access("nowhere", F_OK) == 0);
    CHECK(mkdir("dir", 0755) == 0 && symlink("../target", "dir/up") == 0);
    CHECK(symlink("dir", "to-dir") == 0);
    CHECK(read_file("to-dir/up", text, sizeof text) == 5);
    CHECK(unlink("link") == 0 && access("target", F_OK) == 0);
}

static void an_open_file_outlives_its_name(void)
{
    char text[16];
    struct stat info;
    enter_scratch();
    int fd = create("file");
    CHECK(write(fd, "still here", 10) == 10);
    CHECK(unlink("file") == 0);
    CHECK_ERRNO(open("file", O_RDONLY), ENOENT);
    CHECK(fstat(fd, &info) == 0 && info.st_nlink == 0 && info.st_size == 10);
    CHECK(pread(fd, text, sizeof text, 0) == 10 && memcmp(text, "still here", 10) == 0);
    CHECK(write(fd, " more", 5) == 5);
    write_file("file", "new");
    CHECK(fstat(fd, &info) == 0 && info.st_size == 15);
    CHECK_ERRNO(unlink("gone"), ENOENT);
}

static void times_are_kept_and_can_be_set(void)
{
    enter_scratch();
    write_file("file", "x");
    struct timespec now;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    CHECK(labs(info_of("file").st_mtim.tv_sec - now.tv_sec) <= 2);
    struct timespec times[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
    CHECK(utimensat(AT_FDCWD, "file", times, 0) == 0);
    struct stat info = info_of("file");
    CHECK(info.st_atim.tv_sec == 1000000000 && info.st_mtim.tv_sec == 1100000000);
    CHECK(info.st_mtim.tv_nsec == 987654321);
    times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = UTIME_NOW;
    CHECK(utimensat(AT_FDCWD, "file", times, 0) == 0);
    info = info_of("file");
    CHECK(info.st_atim.tv_sec == 1000000000 && labs(info.st_mtim.tv_sec - now.tv_sec) <= 5);
    struct timeval old[2] = { { 5, 0 }, { 6, 0 } };
    CHECK(utimes("file", old) == 0 && info_of("file").st_mtim.tv_sec == 6);
    int fd = open("file", O_WRONLY);
    CHECK(write(fd, "y", 1) == 1 && info_of("file").st_mtim.tv_sec > 6);
}

static void umask_and_chmod_decide_the_mode(void)
{
    enter_scratch();
    CHECK(umask(027) == 022 || umask(027) == 027);
    CHECK(close(open("file", O_WRONLY | O_CREAT, 0666)) == 0);
    CHECK((info_of("file").st_mode & 07777) == 0640);
    CHECK(mkdir("dir", 0777) == 0 && (info_of("dir").st_mode & 07777) == 0750);
    CHECK(umask(022) == 027);
    CHECK(chmod("file", 0604) == 0 && (info_of("file").st_mode & 07777) == 0604);
    int fd = open("file", O_RDONLY);
    CHECK(fchmod(fd, 0755) == 0 && (info_of("file").st_mode & 07777) == 0755);
}

static void numbers_of_a_file_are_stable_and_its_own(void)
{
    struct stat info;
    enter_scratch();
    write_file("a", "1");
    write_file("b", "2");
    int fd = open("a", O_RDONLY);
    CHECK(fstat(fd, &info) == 0);
    CHECK(info.st_ino == info_of("a").st_ino && info.st_dev == info_of("a").st_dev);
    CHECK(info.st_ino != info_of("b").st_ino && info.st_dev == info_of("b").st_dev);
    CHECK(info.st_uid == geteuid() && info.st_blksize > 0);
}

static void a_full_device_is_enospc(void)
{
    int fd = open("/dev/full", O_WRONLY);
    CHECK(fd >= 0);
    CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
    FILE *stream = fopen("/dev/full", "w");
    CHECK(stream && fputs("text", stream) >= 0 && fclose(stream) == EOF);
}

/* Only where GUEST_FILL names a folder on a file system small enough to be filled. */
static void a_full_file_system_is_enospc_and_recovers(void)
{
    static char block[65536];
    char *folder = getenv("GUEST_FILL"), path[PATH_MAX];
    if (!folder)
        return;
    snprintf(path, sizeof path, "%s/fill-%d", folder, (int)getpid());
    int fd = create(path);
    memset(block, 'f', sizeof block);
    ssize_t put;
    off_t total = 0;
    while ((put = write(fd, block, sizeof block)) > 0)
        total += put;
    int reason = errno;
    struct stat info;
    CHECK(fstat(fd, &info) == 0 && info.st_size == total);
    CHECK(unlink(path) == 0 && close(fd) == 0);
    CHECK(put == -1 && reason == ENOSPC);
    fd = create(path);
    CHECK(write(fd, block, sizeof block) == sizeof block);
    CHECK(unlink(path) == 0);
}

static void a_file_system_tells_its_size(void)
{
    struct statvfs info;
    CHECK(statvfs("/tmp", &info) == 0 && info.f_bsize > 0 && info.f_blocks >= info.f_bfree);
    CHECK(info.f_namemax >= 64);
}

static void sync_calls_succeed(void)
{
    enter_scratch();
    int fd = create("file");
    CHECK(write(fd, "x", 1) == 1 && fsync(fd) == 0 && fdatasync(fd) == 0);
    sync();
    CHECK_ERRNO(fsync(-1), EBADF);
}

static const struct test tests[] = {
    TEST(open_flags_do_what_they_say),
    TEST(append_writes_at_the_end_whoever_moved_it),
    TEST(lseek_moves_and_refuses),
    TEST(holes_read_as_zero_and_take_no_room),
    TEST(a_hole_that_is_filled_keeps_its_neighbours),
    TEST(space_that_is_reserved_is_there),
    TEST(truncation_cuts_and_grows_with_zeros),
    TEST(positioned_and_vector_calls_agree_with_plain_ones),
    TEST(rename_replaces_in_one_step),
    TEST(hard_links_are_the_same_file),
    TEST(symbolic_links_are_followed_or_not),
    TEST(an_open_file_outlives_its_name),
    TEST(times_are_kept_and_can_be_set),
    TEST(umask_and_chmod_decide_the_mode),
    TEST(numbers_of_a_file_are_stable_and_its_own),
    TEST(a_full_device_is_enospc),
    TEST(a_full_file_system_is_enospc_and_recovers),
    TEST(a_file_system_tells_its_size),
    TEST(sync_calls_succeed),
};

RUN(tests)
