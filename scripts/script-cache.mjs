// V8's code of a bundled file, kept beside it: NAME.cache for NAME.js.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { Script } from 'node:vm'

/** The script of a file, read as src/cli/cached-script.ts reads it. */
export function scriptOf(filename, cachedData) {
  const text = readFileSync(filename, 'utf8')
  // V8 takes a cache for the length of the text that it has, and keeps any other text in twice the memory.
  if (/[^\0-\x7f]/.test(text)) throw new Error(`${filename} is not ASCII`)
  return new Script(text, { filename, ...(cachedData && { cachedData }) })
}

/** Keeps what has been compiled of a script until now. */
export function keepCode(script, filename) {
  const code = script.createCachedData()
  if (scriptOf(filename, code).cachedDataRejected) throw new Error(`V8 refuses its code of ${filename}`)
  const cache = filename.replace(/\.js$/, '.cache')
  writeFileSync(`${cache}.new`, code)
  renameSync(`${cache}.new`, cache)
}
