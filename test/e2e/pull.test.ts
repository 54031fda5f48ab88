import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startRegistry } from '../registry/fake-registry.ts'
import { makeImage, makeLayer } from '../source/build-image.ts'

const tool = join(import.meta.dirname, '../../bin/bundle-tool.js')

test('the command as it is installed pulls ubuntu:18.04 from a mirror of Docker Hub', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pull-'))
  const at = (name: string) => join(directory, name)
  try {
    const image = makeImage([await makeLayer({ 'etc/os-release': 'ID=test' })])
    await using registry = await startRegistry()
    for (const blob of [image.config, ...image.layers.map((layer) => layer.blob)]) registry.addBlob(blob)
    registry.addManifest('library/ubuntu', '18.04', image.manifest.toString())
    writeFileSync(at('conf'), `[[registry]]\nprefix = "docker.io"\nlocation = "${registry.host}"\ninsecure = true\n`)

    const env = { ...process.env, CONTAINERS_REGISTRIES_CONF: at('conf'), HOME: directory }
    const args = [
      'pull',
      '--quiet',
      '--no-tty',
      'ubuntu:18.04',
      '--out',
      at('bundle'),
      '--platform',
      'linux/amd64',
      '--store',
      at('store'),
    ]
    const child = spawn('node', [tool, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk) => (stderr += chunk))
    const [status] = await once(child, 'close')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(readFileSync(at('bundle/rootfs/etc/os-release'), 'utf8')).toBe('ID=test')
    expect(JSON.parse(readFileSync(at('bundle/config.json'), 'utf8')).process.terminal).toBe(false)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
