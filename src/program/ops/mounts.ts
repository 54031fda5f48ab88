import type { OpDefinition } from './definition.ts'

/** Ops on mounts. A path inside the rootfs is resolved once (`resolve`), then used by descriptor. */
export const mountOps = {
  resolve: {
    number: 50,
    operands: { to: 'newSlot', root: 'slot', path: 'string', kind: 'resolveKind', mode: 'octal' },
    does: 'openat2(2) with RESOLVE_IN_ROOT and O_PATH, or a walk by component; makes missing components for kinds that allow it',
  },
  mount: {
    number: 51,
    operands: {
      source: 'string',
      target: 'slot',
      path: 'string',
      type: 'string',
      flags: 'mountFlags',
      data: 'string',
    },
    does: 'mount(2) on a descriptor (`path` is only shown), or on the path if there is none',
  },
  open_tree: {
    number: 52,
    operands: { to: 'newSlot', at: 'slot', path: 'text', flags: 'treeFlags' },
    does: 'open_tree(2): a detached copy of a mount; an empty path means `at` itself',
  },
  mount_setattr: {
    number: 53,
    operands: {
      slot: 'slot',
      flags: 'treeFlags',
      set: 'mountAttributes',
      clear: 'mountAttributes',
      propagation: 'mountFlags',
      userns: 'slot',
    },
    does: 'mount_setattr(2)',
  },
  move_mount: {
    number: 54,
    operands: { from: 'slot', to: 'slot', name: 'string', path: 'string' },
    does: 'move_mount(2): attaches a detached mount on a descriptor, or on a name in that directory (`path` is only shown)',
  },
  new_mount: {
    number: 55,
    operands: { to: 'newSlot', type: 'string', options: 'list', attributes: 'mountAttributes' },
    does: 'fsopen(2), fsconfig(2) for each pair of options, of which an empty value makes a flag, fsmount(2): a detached mount',
  },
  pivot_root: {
    number: 56,
    operands: { root: 'slot' },
    does: 'fchdir(2), pivot_root(".", "."), mount(2) MS_SLAVE and umount2(2) MNT_DETACH of the old root, chdir("/")',
  },
  chroot: { number: 57, operands: { root: 'slot' }, does: 'fchdir(2), chroot("."), chdir("/")' },
  move_root: {
    number: 58,
    operands: { root: 'slot' },
    does: 'fchdir(2), mount(".", "/", MS_MOVE), chroot("."), chdir("/")',
  },
  mask: {
    number: 59,
    operands: { root: 'slot', path: 'string', file: 'slot', directory: 'slot' },
    does: 'covers a path of the rootfs by a copy of the mount `file` or `directory`, according to its type',
  },
  readonly_path: {
    number: 60,
    operands: { root: 'slot', path: 'string' },
    does: 'a read-only recursive bind of a path of the rootfs on itself',
  },
  resolve_like: {
    number: 63,
    operands: { to: 'newSlot', root: 'slot', path: 'string', like: 'slot' },
    does: 'as resolve; a missing end of the path is made, as a directory or a file according to the type of `like`',
  },
  bind_flags: {
    number: 64,
    operands: { slot: 'slot', set: 'mountAttributes', clear: 'mountAttributes', atLeast: 'mountAttributes' },
    does: 'mount_setattr(2) that sets `set` and clears `clear`, or only `atLeast` if flags of the source are locked',
  },
  make_userns: {
    number: 65,
    operands: { to: 'newSlot', uidMap: 'string', gidMap: 'string' },
    does: 'makes a user namespace with these maps, in a short-lived process, for an ID-mapped mount',
  },
  mount_tmpfs: {
    number: 66,
    operands: { root: 'slot', path: 'string', source: 'string', flags: 'mountFlags', data: 'string' },
    does: 'mount(2) of a tmpfs with the mode of the directory that it covers, if that existed before',
  },
  set_propagation: {
    number: 69,
    operands: { slot: 'slot', flags: 'mountFlags' },
    does: 'mount(2) with MS_PRIVATE or another propagation on the mount that contains a directory',
  },
  umount: {
    number: 68,
    operands: { path: 'string' },
    does: 'mount(2) MS_SLAVE, then umount2(2) with MNT_DETACH, so that it is unmounted only in this namespace',
  },
  copy_tree: {
    number: 67,
    operands: { from: 'slot', to: 'slot' },
    does: 'copies the content of a directory, with owners, modes and times, also those of the directory itself',
  },
  expect_device: {
    number: 61,
    operands: { slot: 'slot', mode: 'octal', major: 'decimal', minor: 'decimal' },
    does: 'fails with ENODEV unless the descriptor is this device',
  },
  expect_filesystem: {
    number: 62,
    operands: { slot: 'slot', magic: 'hex' },
    does: 'fails with EXDEV unless the descriptor is on a filesystem of this type',
  },
} as const
mountOps satisfies Record<string, OpDefinition>
