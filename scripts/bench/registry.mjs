// Debian's docker-registry, on a loopback port of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { timed } from './processes.mjs'

/** Serves an image while `use(reference)` runs. */
export async function withRegistry({ scratch, layout }, use) {
  const directory = join(scratch, 'registry')
  mkdirSync(directory)
  const host = `127.0.0.1:${await freePort()}`
  const config = join(scratch, 'registry.json')
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: directory } },
      http: { addr: host },
    }),
  )
  const server = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
  try {
    await untilUp(`http://${host}/v2/`)
    const reference = `${host}/bench/image:latest`
    timed('skopeo', ['copy', '-q', '--dest-tls-verify=false', `oci:${layout}:latest`, `docker://${reference}`])
    return await use(reference)
  } finally {
    server.kill()
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function untilUp(url) {
  for (let attempt = 0; attempt < 400; attempt++) {
    const isUp = await fetch(url).then(
      (response) => response.ok,
      () => false,
    )
    if (isUp) return
    await sleep(25)
  }
  throw new Error(`nothing answers at ${url}`)
}
