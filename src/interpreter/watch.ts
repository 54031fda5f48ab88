import { pollEvents } from './event-loop.ts'
import { EventEmitter } from './events.ts'
import type { StreamHost } from './stream.ts'
import { systemError } from './system-error.ts'

/** As libuv has them: IN_MODIFY, IN_ATTRIB, IN_MOVED_FROM, IN_MOVED_TO, IN_CREATE, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF. */
const events = 0x2 | 0x4 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800

/** Makes `watch` of `node:fs`, whose listener hears that something has happened to the file. */
export function makeWatch({ host, loop }: StreamHost) {
  return function watch(path: string, listener: () => void): FileWatcher {
    const fd = host.watcher()
    if (fd < 0) throw systemError(fd, { syscall: 'watch', path })
    const result = host.watch(fd, path, events)
    if (result < 0) {
      host.close(fd)
      throw systemError(result, { syscall: 'watch', path })
    }
    const bytes = new Uint8Array(4096)
    const waiting = loop.watch(fd, pollEvents.readable, () => {
      const count = host.read(fd, bytes, 0, bytes.length, -1)
      if (count > 0) listener()
    })
    return new FileWatcher(() => {
      waiting.stop()
      host.close(fd)
    })
  }
}

class FileWatcher extends EventEmitter {
  readonly close: () => void

  constructor(close: () => void) {
    super()
    this.close = close
  }
}
