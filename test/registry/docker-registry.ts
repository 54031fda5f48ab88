import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** The registry of Debian's package docker-registry, as a process. */
export interface DockerRegistry {
  /** `127.0.0.1:port` */
  readonly host: string
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a registry that keeps its images in `directory`, which is created.
 * @param settings more of its configuration, as objects: `auth`, or `http`'s `tls`
 */
export async function startDockerRegistry(
  directory: string,
  { auth, tls }: { readonly auth?: object; readonly tls?: object } = {},
): Promise<DockerRegistry> {
  mkdirSync(directory)
  const host = `127.0.0.1:${await freePort()}`
  const config = {
    version: '0.1',
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: join(directory, 'data') } },
    http: { addr: host, ...(tls !== undefined && { tls }) },
    ...(auth !== undefined && { auth }),
  }
  writeFileSync(join(directory, 'config.yml'), JSON.stringify(config)) // JSON is YAML
  const server = spawn('docker-registry', ['serve', join(directory, 'config.yml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaints = ''
  server.stderr.on('data', (text) => {
    complaints += text
  })
  const exited = once(server, 'exit')
  await untilListening(
    host,
    () => server.exitCode !== null,
    () => complaints,
  )
  return {
    host,
    async [Symbol.asyncDispose]() {
      server.kill()
      await exited
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function untilListening(host: string, hasExited: () => boolean, complaints: () => string): Promise<void> {
  for (let attempt = 0; attempt < 400 && !hasExited(); attempt++) {
    const isUp = await fetch(`http://${host}/`).then(
      () => true,
      () => false,
    )
    if (isUp) return
    await sleep(25)
  }
  throw new Error(`docker-registry does not listen at ${host}: ${complaints()}`)
}
