//! Copies of the kernel, for a checker that tries every call in a state.

use crate::Kernel;

impl Clone for Kernel {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        copy.clone_from(self);
        copy
    }

    /// Copies the slots ever used only. A field that is added here is missed nowhere else.
    fn clone_from(&mut self, source: &Self) {
        let Self {
            memory,
            threads,
            processes,
            channels,
            connections,
            pulses,
            chunks,
            timers,
            interrupts,
            ports,
            watches,
            poll_nodes,
            signals,
            mutexes,
            sporadics,
            partitions,
            futexes,
            pids,
            deadlines,
            cpus,
            online,
            cpu,
            dirty,
            tid_count,
            arrivals,
            sequence,
            program_pulses,
            orphan_pulses,
            manager,
            unsettled,
            caller,
            counters,
            monitor,
            trace,
        } = source;
        self.memory.clone_from(memory);
        self.threads.clone_from(threads);
        self.processes.clone_from(processes);
        self.channels.clone_from(channels);
        self.connections.clone_from(connections);
        self.pulses.clone_from(pulses);
        self.chunks.clone_from(chunks);
        self.timers.clone_from(timers);
        self.interrupts.clone_from(interrupts);
        self.ports.clone_from(ports);
        self.watches.clone_from(watches);
        self.poll_nodes.clone_from(poll_nodes);
        self.signals.clone_from(signals);
        self.mutexes.clone_from(mutexes);
        self.sporadics.clone_from(sporadics);
        self.partitions.clone_from(partitions);
        self.futexes.clone_from(futexes);
        self.pids.clone_from(pids);
        self.deadlines.clone_from(deadlines);
        self.cpus.clone_from(cpus);
        self.online = *online;
        self.cpu = *cpu;
        self.dirty = *dirty;
        self.tid_count = *tid_count;
        self.arrivals = *arrivals;
        self.sequence = *sequence;
        self.program_pulses = *program_pulses;
        self.orphan_pulses = *orphan_pulses;
        self.manager = *manager;
        self.unsettled = *unsettled;
        self.caller = *caller;
        self.counters = *counters;
        self.monitor = *monitor;
        self.trace.clone_from(trace);
    }
}
