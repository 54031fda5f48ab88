import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const project = join(import.meta.dirname, '..')
const below = 'src/'

/** The modules of src/, by their paths there. */
export const modules: readonly string[] = readdirSync(join(project, below), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .sort()

export interface Import {
  /** A module of src/, by its path there; else the name of a package, or of a module of Node.js. */
  readonly name: string
  readonly isOwn: boolean
  /** True for `import()`. */
  readonly isLate: boolean
}

/** The imports of each module that are there when it runs, as esbuild finds them. */
export async function importsOfValues(): Promise<ReadonlyMap<string, readonly Import[]>> {
  const { metafile } = await build({
    absWorkingDir: project,
    entryPoints: modules.map((file) => below + file),
    outdir: 'dist',
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  })
  const own = Object.entries(metafile.inputs).map(
    ([file, { imports }]) =>
      [
        file.slice(below.length),
        // Code that esbuild itself adds is in "<runtime>".
        imports
          .filter(({ path }) => path !== '<runtime>')
          .map(({ path, external, kind }) => ({
            name: external ? path : path.slice(below.length),
            isOwn: !external,
            isLate: kind === 'dynamic-import',
          })),
      ] as const,
  )
  return new Map(own)
}

/** The modules of src/ and the packages that each module names, for their types too, as the compiler of TypeScript finds them. */
export function importsOfTypes(): ReadonlyMap<string, readonly string[]> {
  const tsc = join(project, 'node_modules/.bin/tsc')
  const imports = new Map<string, string[]>()
  let imported = ''
  const listing = execFileSync(tsc, ['--noEmit', '--explainFiles'], { cwd: project, encoding: 'utf8' })
  for (const line of listing.split('\n')) {
    if (!line.startsWith(' ')) imported = line
    const [, name = '', importer = ''] = /^ {2,}Imported via ['"](.*)['"] from file 'src\/([^']+)'/.exec(line) ?? []
    if (importer === '') continue
    const target = imported.startsWith(below) ? imported.slice(below.length) : name
    imports.set(importer, [...(imports.get(importer) ?? []), target])
  }
  return imports
}
