import { constants } from 'node:os'

/**
 * Ends this process by a signal, as a shell expects of a program that the signal has stopped: a script that is stopped by
 * Ctrl-C goes on only if its command did not die of it. Process 1 of a PID namespace, which no signal kills, exits with
 * 128 + the signal.
 */
export function endBySignal(name: 'SIGPIPE' | 'SIGINT' | 'SIGTERM' | 'SIGHUP'): never {
  // Node.js ignores SIGPIPE, and others may have a handler: one that is taken away leaves the default behind.
  const handler = (): void => undefined
  process.on(name, handler).removeAllListeners(name)
  process.kill(process.pid, name)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000) // another thread may be the one that it comes to
  process.exit(128 + constants.signals[name])
}
