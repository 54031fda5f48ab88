import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

/** What each area of src/ may import: areas of ours, then npm packages. CONTRIBUTING.md explains the table. */
const allowed: Record<string, readonly string[]> = {
  errors: [],
  memory: [],
  oci: ['errors', 'zod'],
  program: ['errors'],
  compile: ['oci', 'program', 'errors'],
  store: ['oci', 'memory', 'errors'],
  registry: ['oci', 'errors', 'undici', 'smol-toml'],
  layer: ['oci', 'program', 'memory', 'errors', 'tar-stream', 'fzstd'],
  source: ['oci', 'registry', 'store', 'layer', 'errors', 'p-limit', 'tar-stream', 'undici'],
  bundle: ['oci', 'store', 'layer', 'errors'],
  dbus: ['errors'],
  host: ['oci', 'compile', 'program', 'errors'],
  runtime: ['oci', 'compile', 'program', 'host', 'dbus', 'errors'],
  verbs: [
    'oci',
    'program',
    'compile',
    'store',
    'registry',
    'layer',
    'source',
    'bundle',
    'host',
    'runtime',
    'errors',
    'p-limit',
  ],
  cli: ['verbs', 'program', 'errors', 'commander'],
}

const pure = ['oci', 'program', 'compile']

/** `import ... from 'x'`, `export ... from 'x'`, `import 'x'` and `import('x')`, and not a string that reads like one. */
const importPattern = /^(?:import|export)\s(?:[\w\s{},*$]*?from\s)?\s*'([^']+)'|\bimport\s*\(\s*'([^']+)'/gm

const src = join(import.meta.dirname, '../src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

function areaOf(file: string): string {
  if (file === 'errors.ts' || file === 'memory.ts') return file.slice(0, -3)
  return dirname(file) === '.' ? 'verbs' : (file.split('/')[0] ?? '')
}

test.each(files)('%s imports only what its area may', (file) => {
  const text = readFileSync(join(src, file), 'utf8')
  const imports = [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '')
  const area = areaOf(file)
  for (const name of imports) {
    if (name.startsWith('node:')) {
      if (pure.includes(area)) expect(['node:buffer'], `${file} does no I/O`).toContain(name)
      continue
    }
    const target = name.startsWith('.')
      ? areaOf(normalize(join(dirname(file), name)))
      : name.replace(/^(@[^/]+\/)?([^/]+).*/, '$1$2')
    if (target !== area) expect(allowed[area], `${file} imports ${name}`).toContain(target)
  }
})
