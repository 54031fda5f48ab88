import type { Command, Option } from 'commander'
import { optionsOf } from './arguments.ts'
import { visibleCommands } from './visible-commands.ts'

/** For each shell the function that writes its script for a program. */
export const completions: Readonly<Record<'bash' | 'zsh' | 'fish', (program: Command) => string>> = { bash, zsh, fish }

const names = ({ long, short }: Option): readonly string[] => [long, short].filter((name) => name !== undefined)
const takesValue = (option: Option): boolean => option.required
const takesContainer = (command: Command): boolean =>
  command.registeredArguments.some((argument) => /container|^ids?$/.test(argument.name()))
const functionOf = (program: Command): string => `_${program.name().replaceAll('-', '_')}`

function bash(program: Command): string {
  const name = functionOf(program)
  const globals = optionsOf(program)
  const valued = globals.filter(takesValue).flatMap(names)
  const commands = visibleCommands(program)
  return `# Completes the command line of ${program.name()} in bash: source it.
${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command= options= valued= words= at
  for ((at = 1; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
      ${valued.join(' | ')}) ((at++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[at]} && break ;;
    esac
  done
  case $command in
    '') options='${globals.flatMap(names).join(' ')}' valued='${valued.join(' ')}' words='${commands.map((command) => command.name()).join(' ')}' ;;
${commands.map(bashCase).join('\n')}
  esac
  COMPREPLY=()
  [[ " $valued " == *" $previous "* ]] && return
  [[ $words == CONTAINERS ]] && words=$(${program.name()} list --quiet 2>/dev/null)
  [[ $current == -* ]] && words=$options
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -o default -F ${name} ${program.name()}
`
}

function bashCase(command: Command): string {
  const options = optionsOf(command)
  const valued = options.filter(takesValue).flatMap(names)
  const words = takesContainer(command) ? 'CONTAINERS' : argumentChoices(command).join(' ')
  return `    ${command.name()}) options='${options.flatMap(names).join(' ')}' valued='${valued.join(' ')}' words='${words}' ;;`
}

function argumentChoices({ registeredArguments: [first] }: Command): readonly string[] {
  return first?.argChoices ?? []
}

function zsh(program: Command): string {
  const name = functionOf(program)
  const described = visibleCommands(program).map((command) => quoted(`${command.name()}:${command.summary()}`))
  return `#compdef ${program.name()}
# Completes the command line of ${program.name()} in zsh: in a directory of $fpath, as _${program.name()}.
${name}_containers() {
  local -a containers
  containers=(\${(f)"$(${program.name()} list --quiet 2>/dev/null)"})
  compadd -a containers
}
${name}() {
  local state line
  local -a commands
  commands=(
    ${described.join('\n    ')}
  )
  _arguments -C ${optionsOf(program).map(zshOption).join(' ')} '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${visibleCommands(program)
  .map((command) => `        ${command.name()}) _arguments ${zshArguments(command, name)} ;;`)
  .join('\n')}
      esac
      ;;
  esac
}
${name} "$@"
`
}

function zshArguments(command: Command, name: string): string {
  const choices = argumentChoices(command)
  const action = takesContainer(command)
    ? `${name}_containers`
    : choices.length > 0
      ? `(${choices.join(' ')})`
      : '_files'
  return [...optionsOf(command).map(zshOption), quoted(`1:argument:${action}`), quoted('*:file:_files')].join(' ')
}

/** With each of its names, and the others excluded by it. */
function zshOption(option: Option): string {
  const text = option.description.replaceAll(/[[\]\\:]/g, (character) => `\\${character}`)
  const value = takesValue(option) ? `:value:${option.argChoices ? `(${option.argChoices.join(' ')})` : '_files'}` : ''
  return names(option)
    .map((name) => quoted(`${name}[${text}]${value}`))
    .join(' ')
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

function fish(program: Command): string {
  const complete = `complete -c ${program.name()}`
  const commands = visibleCommands(program)
  const all = commands.map((command) => command.name()).join(' ')
  const lines = [
    `# Completes the command line of ${program.name()} in fish: in ~/.config/fish/completions.`,
    ...optionsOf(program).map((option) => `${complete} -n '__fish_use_subcommand' ${fishOption(option)}`),
    ...commands.map(
      (command) =>
        `${complete} -n 'not __fish_seen_subcommand_from ${all}' -f -a ${command.name()} -d ${fishQuoted(command.summary())}`,
    ),
    ...commands.flatMap((command) => {
      const here = `${complete} -n '__fish_seen_subcommand_from ${command.name()}'`
      const choices = argumentChoices(command)
      return [
        ...optionsOf(command).map((option) => `${here} ${fishOption(option)}`),
        ...(takesContainer(command) ? [`${here} -f -a '(${program.name()} list --quiet 2>/dev/null)'`] : []),
        ...(choices.length > 0 ? [`${here} -f -a '${choices.join(' ')}'`] : []),
      ]
    }),
  ]
  return `${lines.join('\n')}\n`
}

function fishOption(option: Option): string {
  const { long, short, argChoices } = option
  const words = [
    ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    ...(takesValue(option) ? ['-r'] : []),
    ...(argChoices ? [`-f -a '${argChoices.join(' ')}'`] : []),
    `-d ${fishQuoted(option.description)}`,
  ]
  return words.join(' ')
}

const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
