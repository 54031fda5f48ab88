import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

const script = `
import os, re, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print('listening', flush=True)
connection, _ = server.accept()
_, fds, _, _ = socket.recv_fds(connection, 4096, 1)
`

/** Somebody who listens at a socket, takes one descriptor and ends. */
export interface DescriptorTaker {
  readonly child: ChildProcessByStdio<null, Readable, null>
  /** `listening`, and a line of what it has to say of the descriptor. */
  readonly said: () => string
}

/** Starts one, and waits until it listens. @param shown what it says, in Python; the descriptor is `fds[0]` */
export async function takeDescriptor(path: string, shown: string): Promise<DescriptorTaker> {
  const program = `${script}print(${shown}, flush=True)`
  const child = spawn('python3', ['-c', program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const said: string[] = []
  child.stdout.on('data', (chunk) => said.push(String(chunk)))
  await once(child.stdout, 'data')
  return { child, said: () => said.join('') }
}
