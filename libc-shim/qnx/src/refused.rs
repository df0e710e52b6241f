//! Calls that answer ENOSYS, so that programs that can do without them link and run: what QNX 8
//! dropped, and what this system does not have.

use neutrino_abi::Errno;

macro_rules! refused {
    ($($name:ident)+) => { $(
        #[doc = concat!("`", stringify!($name), "`: ENOSYS, whatever the arguments.")]
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "the name that C programs call")]
        pub extern "C" fn $name() -> i64 {
            crate::kernel::with_errno(Err(Errno::ENOSYS))
        }
    )+ };
}
macro_rules! refused_r {
    ($($name:ident)+) => { $(
        #[doc = concat!("`", stringify!($name), "`: ENOSYS, whatever the arguments.")]
        #[unsafe(no_mangle)]
        #[allow(non_snake_case, reason = "the name that C programs call")]
        pub extern "C" fn $name() -> i64 {
            crate::kernel::positive(Err(Errno::ENOSYS))
        }
    )+ };
}

// dropped by QNX 8
refused! {
    ChannelCreateExt ConnectAttachExt InterruptAttach InterruptAttachArray InterruptCharacteristic
    InterruptHookIdle InterruptHookIdle2 InterruptHookOverdriveEvent InterruptHookTrace MsgKeyData
    MsgPause MsgReadiov MsgReceiveAsync MsgReceiveAsyncGbl MsgReceivePulsev MsgSendAsync
    MsgSendAsyncGbl SchedJobCreate SchedJobDestroy SchedWaypoint SignalFault SyncMutexRevive
}
refused_r! {
    InterruptAttach_r MsgKeyData_r MsgPause_r MsgReadiov_r MsgReceivePulsev_r SyncMutexRevive_r
}
// not there
refused! {
    ChannelConnectAttr ChannelCreatePulsePool ClockAdjust ConnectClientInfoExtraArgs
    InterruptAttachEventPriority MsgQueueOpen MsgQueueReceive MsgQueueSend MsgRegisterEvent
    MsgUnregisterEvent SignalWaitinfoMask SyncMutexEvent ThreadCtlExt TraceEvent
    procmgr_ability_create procmgr_ability_lookup procmgr_event_notify procmgr_event_notify_add
    procmgr_event_notify_delete procmgr_event_trigger procmgr_guardian procmgr_session
    procmgr_timer_tolerance
}
refused_r! {
    ClockAdjust_r MsgRegisterEvent_r MsgUnregisterEvent_r SignalWaitinfoMask_r
    SyncMutexEvent_r ThreadCtlExt_r
}
