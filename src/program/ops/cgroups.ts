import type { OpDefinition } from './definition.ts'

/** Ops on control groups. */
export const cgroupOps = {
  copy_if_empty: {
    number: 20,
    operands: { from: 'text', to: 'text' },
    does: "copies a control file's content when the target's is empty (cpuset on cgroup v1)",
  },
  cgroup_make: {
    number: 27,
    operands: { path: 'text', levels: 'decimal' },
    does: 'mkdir(2) of a cgroup, and of those of `levels` levels above it that are missing; EBUSY if it exists with a process in it',
  },
  enable_controllers: {
    number: 21,
    operands: { path: 'text' },
    does: 'enables the controllers of a cgroup (cgroup.controllers) for its children: all at once, or each that the kernel accepts',
  },
  expect_not: {
    number: 22,
    operands: { path: 'text', content: 'string', unlessMade: 'decimal' },
    does: 'fails with EBUSY if the file starts with the content: the cgroup is frozen, or threaded; not read if unlessMade is 1 and cgroup_make has just made it',
  },
  cgroup_remove: {
    number: 23,
    operands: { path: 'text' },
    does: 'rmdir(2) of a cgroup and those below it, repeated on EBUSY for two seconds at most',
  },
  cgroup_kill: {
    number: 24,
    operands: { path: 'text' },
    does: 'rmdir(2) of a cgroup, or SIGKILL to its processes, until there are none, for two seconds at most',
  },
  report_file: {
    number: 26,
    operands: { path: 'text' },
    does: 'adds the content of a file, such as memory.events, to the report of a failure, to tell if the kernel killed the new process',
  },
  device_filter: {
    number: 25,
    operands: { cgroup: 'slot', instructions: 'bytes' },
    does: 'bpf(2) BPF_PROG_LOAD of a device filter, and BPF_PROG_ATTACH to the cgroup',
  },
} as const
cgroupOps satisfies Record<string, OpDefinition>
