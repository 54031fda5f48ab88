export type FilterFlagName = `SECCOMP_FILTER_FLAG_${'TSYNC' | 'LOG' | 'SPEC_ALLOW' | 'WAIT_KILLABLE_RECV'}`

/** `SECCOMP_FILTER_FLAG_*` of linux/seccomp.h that a profile can name. */
export const filterFlags: Readonly<Record<FilterFlagName, number>> = {
  /** The runner has one thread, which TSYNC would change nothing for: runc accepts it and leaves it out. */
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 1 << 2,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 1 << 5,
}

/** `SECCOMP_FILTER_FLAG_NEW_LISTENER`: seccomp(2) returns the descriptor that notifications are read from. */
export const newListenerFlag: number = 1 << 3

export function isFilterFlagName(name: string): name is FilterFlagName {
  return Object.hasOwn(filterFlags, name)
}
