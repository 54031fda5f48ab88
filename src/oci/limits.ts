/** Largest manifest or index that is read, in bytes (the limit distribution-spec v1.1.1 asks registries to accept). */
export const maxManifestBytes: number = 4 * 1024 * 1024

/** Largest image config that is read, in bytes. */
export const maxImageConfigBytes: number = 4 * 1024 * 1024
