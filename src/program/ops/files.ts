import type { OpDefinition } from './definition.ts'

/** Ops on files and directories: `at` and a relative path, or no `at` and an absolute one. */
export const fileOps = {
  open: {
    number: 1,
    operands: { to: 'newSlot', at: 'slot', path: 'text', flags: 'openFlags' },
    does: 'openat(2), always with O_CLOEXEC',
  },
  close: { number: 2, operands: { slot: 'slot' }, does: 'close(2)' },
  mkdir: {
    number: 3,
    operands: { at: 'slot', path: 'text', mode: 'octal' },
    syscall: ['mkdirat', 'at', 'path', 'mode'],
    does: 'mkdirat(2)',
  },
  rmdir: {
    number: 4,
    operands: { at: 'slot', path: 'text' },
    syscall: ['unlinkat', 'at', 'path', 'AT_REMOVEDIR'],
    does: 'unlinkat(2) with AT_REMOVEDIR',
  },
  unlink: {
    number: 5,
    operands: { at: 'slot', path: 'text' },
    syscall: ['unlinkat', 'at', 'path'],
    does: 'unlinkat(2)',
  },
  rename: {
    number: 6,
    operands: { at: 'slot', from: 'text', to: 'text' },
    syscall: ['renameat2', 'at', 'from', 'at', 'to'],
    does: 'renameat(2)',
  },
  expect_link: {
    number: 124,
    operands: { at: 'slot', path: 'text', target: 'text' },
    does: 'fails with EEXIST unless a path is a symbolic link with this target: readlinkat(2)',
  },
  mknod: {
    number: 7,
    operands: { at: 'slot', path: 'text', mode: 'octal', major: 'decimal', minor: 'decimal' },
    does: 'mknodat(2): a device or a FIFO',
  },
  chown: {
    number: 8,
    operands: { at: 'slot', path: 'text', uid: 'id', gid: 'id' },
    syscall: ['fchownat', 'at', 'path', 'uid', 'gid', 'AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH'],
    does: 'fchownat(2) with AT_SYMLINK_NOFOLLOW; an empty path means `at` itself',
  },
  symlink: {
    number: 9,
    operands: { target: 'string', at: 'slot', path: 'text' },
    syscall: ['symlinkat', 'target', 'at', 'path'],
    does: 'symlinkat(2)',
  },
  write_file: {
    number: 10,
    operands: { at: 'slot', path: 'text', content: 'text', flags: 'openFlags', mode: 'octal' },
    does: 'openat(2), one write(2) of the whole content, close(2)',
  },
  write_lines: {
    number: 16,
    operands: { path: 'text', lines: 'list' },
    does: 'openat(2), a write(2) of each line, close(2)',
  },
  setxattr: {
    number: 11,
    operands: { at: 'slot', path: 'string', name: 'string', value: 'bytes' },
    does: 'lsetxattr(2) beneath `at`, through no symbolic link',
  },
  utimens: {
    number: 12,
    operands: { at: 'slot', path: 'string', seconds: 'decimal', nanoseconds: 'decimal' },
    does: 'utimensat(2) of both times beneath `at`, through no symbolic link; on the link itself if the path is one',
  },
  make_node: {
    number: 13,
    operands: { at: 'slot', path: 'string', mode: 'octal', uid: 'id', gid: 'id', device: 'hex' },
    does: 'mknodat(2), fchownat(2) and the exact mode, beneath `at` and through no symbolic link',
  },
  remove_directory: {
    number: 14,
    operands: { path: 'text' },
    does: 'unlinkat(2) of each entry of a directory, state.json last, and of the directory',
  },
  list_xattrs: {
    number: 15,
    operands: { at: 'slot', path: 'string', to: 'slot' },
    does: 'llistxattr(2) and lgetxattr(2) beneath `at`, through no symbolic link: lengths, name and value of each to `to`',
  },
} as const
fileOps satisfies Record<string, OpDefinition>
