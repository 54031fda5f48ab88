import type { makeFileSystem } from './file-system.ts'

type FileSystem = ReturnType<typeof makeFileSystem>

/** Makes `node:fs/promises`, as far as the runtime uses it: the calls of `node:fs`, which are done when they return. */
export function makeFilePromises(files: FileSystem) {
  return {
    chmod: later(files.chmodSync),
    chown: later(files.chownSync),
    lstat: later(files.lstatSync),
    mkdir: later(files.mkdirSync),
    readdir: later(files.readdirSync),
    readFile: later(files.readFileSync),
    realpath: later(files.realpathSync),
    rename: later(files.renameSync),
    rm: later(files.rmSync),
    rmdir: later(files.rmdirSync),
    stat: later(files.statSync),
    statfs: later(files.statfsSync),
    writeFile: later(files.writeFileSync),
  }
}

const later =
  <A extends readonly unknown[], T>(call: (...args: A) => T) =>
  async (...args: A): Promise<T> =>
    call(...args)
