/**
 * An operation on a rootfs under construction that Node.js has no call for. Paths are relative to the rootfs, in bytes,
 * and lead through no symlink. Operations must be applied in order.
 */
export type NodeOp =
  | {
      /** mknod(2), then the owner, then the mode. */
      readonly kind: 'mknod'
      readonly path: Uint8Array
      /** File type (`S_IFCHR`, `S_IFBLK` or `S_IFIFO`) and permission bits. */
      readonly mode: number
      readonly uid: number
      readonly gid: number
      readonly major: number
      readonly minor: number
    }
  | {
      /** lsetxattr(2). */
      readonly kind: 'setxattr'
      readonly path: Uint8Array
      readonly name: string
      readonly value: Uint8Array
    }
  | {
      /** utimensat(2) with AT_SYMLINK_NOFOLLOW: access and modification time. */
      readonly kind: 'utimens'
      readonly path: Uint8Array
      readonly seconds: bigint
      readonly nanoseconds: number
    }

/** Applies operations to the rootfs under construction, in order. */
export type ApplyNodeOps = (ops: readonly NodeOp[]) => Promise<void>
