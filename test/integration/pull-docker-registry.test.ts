import { execFileSync } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { library } from '../library.ts'
import { startDockerRegistry } from '../registry/docker-registry.ts'
import { requires } from '../requirements.ts'
import { layoutFiles, makeImage, makeLayer, writeFiles } from '../source/build-image.ts'

const { pull } = library

process.env.BUNDLE_TOOL_RUNNER ??= join(import.meta.dirname, '../../dist/bundle-tool-runner')

/** Everything about a tree that a layer can say, as lines that compare. */
function describeTree(root: string): string[] {
  const inodes = new Map<number, string>()
  return ['.', ...readdirSync(root, { recursive: true, encoding: 'utf8' })].sort().map((path) => {
    const stats = lstatSync(join(root, path))
    const first = inodes.get(stats.ino) ?? path
    inodes.set(stats.ino, first)
    const content = stats.isFile() ? readFileSync(join(root, path)).toString('base64') : ''
    const target = stats.isSymbolicLink() ? readlinkSync(join(root, path)) : ''
    const { mode, uid, gid, rdev } = stats
    return [path, mode.toString(8), uid, gid, rdev, Math.floor(stats.mtimeMs / 1000), first, target, content].join(' ')
  })
}

requires('root', 'docker-registry', 'skopeo', 'umoci').test(
  'an image in a real registry, pushed by skopeo, becomes the tree that umoci makes of it',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'docker-registry-'))
    const at = (name: string) => join(directory, name)
    try {
      await using registry = await startDockerRegistry(at('registry'))
      const { host } = registry
      const layers = [
        await makeLayer({
          // Every directory has an entry: without one, umoci dates it by the clock and we by the epoch.
          './': { type: 'directory', mode: 0o755 },
          'bin/': { type: 'directory', mode: 0o755 },
          'dev/': { type: 'directory', mode: 0o755 },
          'run/': { type: 'directory', mode: 0o755 },
          'old/': { type: 'directory', mode: 0o755 },
          'bin/su': { body: 'su', mode: 0o4755, uid: 0 },
          'bin/sh': { type: 'symlink', linkname: 'su' },
          'home/': { type: 'directory', mode: 0o750, uid: 1000, gid: 1000 },
          'home/file': { body: 'mine', uid: 1000, gid: 1000, mtime: new Date(1.5e12) },
          'home/link': { type: 'link', linkname: 'home/file' },
          'dev/null': { type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 },
          'run/fifo': { type: 'fifo', mode: 0o600 },
          'old/a': 'a',
          'old/b': 'b',
        }),
        await makeLayer({
          'old/.wh.a': '',
          'old/.wh..wh..opq': '',
          'old/c': 'c',
          'bin/su': { body: 'new', mode: 0o755 },
        }),
      ]
      writeFiles(at('layout'), layoutFiles({ latest: makeImage(layers) }))
      const image = `${host}/some/image:1`
      execFileSync('skopeo', [
        'copy',
        '-q',
        '--dest-tls-verify=false',
        `oci:${at('layout')}:latest`,
        `docker://${image}`,
      ])
      await pull(image, { out: at('bundle'), store: at('store'), env: {} })
      execFileSync('umoci', ['unpack', '--image', `${at('layout')}:latest`, at('umoci')])
      expect(describeTree(at('bundle/rootfs'))).toEqual(describeTree(at('umoci/rootfs')))
      execFileSync('skopeo', ['copy', '-q', `oci:${at('store')}:${image}`, `oci:${at('copy')}:x`])
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)
