import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FakeRegistry } from '../registry/fake-registry.ts'
import type { TestImage } from '../source/build-image.ts'

const project = join(import.meta.dirname, '../..')

/** The command line as it is shipped: by Node.js, and as the program that people call. */
export const forms: Readonly<Record<string, readonly string[]>> = {
  'bin/bundle-tool.js': [process.execPath, join(project, 'bin/bundle-tool.js')],
  'dist/bundle-tool': [join(project, 'dist/bundle-tool')],
}

export interface Finished {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A home of its own for commands for images, without this machine's registries, policy and proxies. */
export class ImageCommands {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'image-commands-'))

  at(name: string): string {
    return join(this.directory, name)
  }

  /** Runs a command to its end; `form` begins with what it is run under, if with anything. */
  async run(form: readonly string[], args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [program = '', ...words] = [...form, '--root', this.at('root'), ...args]
    const child = spawn(program, words, {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, HOME: this.directory, CONTAINERS_REGISTRIES_CONF: '/dev/null', ...env },
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (text) => (stdout += text))
    child.stderr.on('data', (text) => (stderr += text))
    const [status] = await once(child, 'close')
    return { status, stdout, stderr } satisfies Finished
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Has a registry serve an image as `app:1`. */
export function serve(registry: FakeRegistry, image: TestImage): void {
  for (const content of [image.config, ...image.layers.map(({ blob }) => blob)]) registry.addBlob(content)
  registry.addManifest('app', '1', image.manifest.toString())
}
