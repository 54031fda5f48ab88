import { execFileSync } from 'node:child_process'
import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'

const project = join(import.meta.dirname, '../..')

/** A clone of the project as it is, without what is built: packages are installed. */
export function cloneProject(clone: string): void {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: project, encoding: 'utf8', stdio: 'pipe' })
  // Its files become somebody else's: none may be a link to one of the project. What is not committed is part of it.
  git('clone', '--quiet', '--no-hardlinks', '--no-checkout', project, clone)
  for (const path of git('ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0').filter(Boolean)) {
    if (existsSync(join(project, path))) cpSync(join(project, path), join(clone, path), { verbatimSymlinks: true })
  }
  // The packages that `npm ci` has installed for the build of this checkout.
  cpSync(join(project, 'node_modules'), join(clone, 'node_modules'), { recursive: true, verbatimSymlinks: true })
}
