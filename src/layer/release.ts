import { MessageChannel } from 'node:worker_threads'

const nowhere = new MessageChannel().port1
nowhere.close()

/**
 * Frees the memory of a chunk that nothing uses any more, if it has that alone; otherwise many megabytes wait for a garbage
 * collection.
 */
export function release({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) nowhere.postMessage(undefined, [buffer])
}
