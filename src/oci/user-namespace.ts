/** Whether a text of /proc/PID/uid_map is that of the initial user namespace, which has all ids, as they are (man 7 user_namespaces). */
export const isInitialIDMap = (text: string): boolean => /^\s*0\s+0\s+4294967295\s*$/.test(text)

/**
 * The environment variable by which containers' tools tell the root of a user namespace which user has made it.
 * @see https://github.com/containers/storage pkg/unshare "GetRootlessUID"
 */
export const rootlessUid = '_CONTAINERS_ROOTLESS_UID'
