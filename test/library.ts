import type * as Library from '../src/index.ts'

const path = '../dist/bin/index.mjs'

/** The library that is shipped. */
export const library: typeof Library = await import(path)
