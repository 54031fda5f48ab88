export type FilterFlagName = `SECCOMP_FILTER_FLAG_${'TSYNC' | 'LOG' | 'SPEC_ALLOW' | 'WAIT_KILLABLE_RECV'}`

/** `SECCOMP_FILTER_FLAG_*` of linux/seccomp.h that a profile can name. */
export const filterFlags: Readonly<Record<FilterFlagName, number>> = {
  /** TSYNC has no effect on the runner, which has one thread; runc too accepts and omits it. */
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 1 << 1,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 1 << 2,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 1 << 5,
}

/** `SECCOMP_FILTER_FLAG_NEW_LISTENER`: seccomp(2) returns the descriptor that notifications are read from. */
export const newListenerFlag: number = 1 << 3

/** True when a profile's name of a flag is known. */
export function isFilterFlagName(name: string): name is FilterFlagName {
  return Object.hasOwn(filterFlags, name)
}
