import { MessageChannel } from 'node:worker_threads'

const nowhere = new MessageChannel().port1
nowhere.close()

/** Frees memory at once; else it waits for a garbage collection, and many megabytes wait with it. */
export const release = (memory: ArrayBuffer): void => nowhere.postMessage(undefined, [memory])
