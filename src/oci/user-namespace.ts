/** True when the text of a /proc/PID/uid_map maps all ids to themselves, as in the initial user namespace, user_namespaces(7). */
export const isInitialIDMap = (text: string): boolean => /^\s*0\s+0\s+4294967295\s*$/.test(text)

/**
 * The environment variable with the uid of the user who made the user namespace, as containers' tools set it.
 * @see https://github.com/containers/storage pkg/unshare "GetRootlessUID"
 */
export const rootlessUid = '_CONTAINERS_ROOTLESS_UID'
