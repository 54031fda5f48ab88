import { setFlagsFromString } from 'node:v8'

/**
 * Tells the garbage collector that this process will move a lot of bytes through short-lived buffers.
 *
 * V8 counts buffers as pressure on the old generation, and answers each 15 MB of them with a concurrent marking of the
 * whole heap, which holds nothing to free: a third of the CPU time of unpacking. Scavenges free the buffers as well.
 */
export function tuneForStreams(): void {
  setFlagsFromString('--no-incremental-marking')
}
