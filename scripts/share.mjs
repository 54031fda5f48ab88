// Writes dist/share, of what the command line knows of itself: manual pages, and completions where each shell looks for them.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { completions } from '../dist/cli/completions.js'
import { manualPage, pageName } from '../dist/cli/manual-page.js'
import { newProgram } from '../dist/cli/program.js'
import { visibleCommands } from '../dist/cli/visible-commands.js'

const name = 'bundle-tool'
const places = {
  bash: `bash-completion/completions/${name}`,
  zsh: `zsh/site-functions/_${name}`,
  fish: `fish/vendor_completions.d/${name}.fish`,
}

const program = newProgram({ io: { name, euid: 0, env: {} }, args: [], globals: () => ({}) }, ['man'])
const commands = [program, ...visibleCommands(program).filter((command) => command.name() !== 'help')]
rmSync('dist/share', { recursive: true, force: true })
for (const command of commands) write(`man/man1/${pageName(command)}.1`, manualPage(command))
for (const [shell, place] of Object.entries(places)) write(place, completions[shell](program))

function write(path, text) {
  const file = join('dist/share', path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
