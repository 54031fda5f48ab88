import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test as plainTest } from 'vitest'
import { requires } from '../requirements.ts'

const tool = join(import.meta.dirname, '../../bin/bundle-tool')
const place = mkdtempSync(join(tmpdir(), 'completion-'))
const root = join(place, 'root')
afterAll(() => rmSync(place, { recursive: true }))

const run = (command: string, ...args: readonly string[]) =>
  spawnSync(command, args, {
    encoding: 'utf8',
    cwd: place,
    env: { PATH: `${place}:${process.env.PATH}`, HOME: place, TERM: 'dumb' },
    timeout: 30_000,
  })
const print = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = run(tool, ...args)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

// Stands for `bundle-tool list`, by which the scripts learn of two containers.
mkdirSync(root)
writeFileSync(join(place, 'bundle-tool'), '#!/bin/sh\n[ "$*" = "list --quiet" ] && echo web && echo database\n', {
  mode: 0o755,
})

const cases: readonly (readonly [string, readonly string[]])[] = [
  ['bundle-tool pu', ['pull', 'push']],
  ['bundle-tool --log-f', ['--log-format']],
  ['bundle-tool --root /run/x kil', ['kill']],
  ['bundle-tool run --pi', ['--pid-file', '--pidfd-socket']],
  ['bundle-tool kill da', ['database']],
  ['bundle-tool completion ', ['bash', 'fish', 'zsh']],
]

requires('bash').test('bash completes commands, options and containers', () => {
  const script = `${print('completion', 'bash')}
    complete_line() {
      COMP_LINE=$1 COMP_POINT=\${#1}
      read -ra COMP_WORDS <<<"$1"
      [[ $1 == *' ' ]] && COMP_WORDS+=('')
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _bundle_tool
      echo "\${COMPREPLY[@]}"
    }
    ${cases.map(([line]) => `complete_line '${line}'`).join('\n')}`
  const { stdout, stderr } = run('bash', '-c', script)
  expect(stderr).toBe('')
  const answers = stdout.trimEnd().split('\n')
  expect(answers.map((answer) => answer.split(' ').sort())).toEqual(cases.map(([, words]) => words))
})

requires('fish').test('fish completes commands, options and containers', () => {
  const script = [print('completion', 'fish'), ...cases.map(([line]) => `complete -C '${line}'; echo END`)].join('\n')
  const { stdout, stderr } = run('fish', '-c', script)
  expect(stderr).toBe('')
  const answers = stdout.split('END\n').slice(0, -1)
  const words = answers.map((answer) =>
    answer
      .split('\n')
      .map((line) => line.split('\t')[0])
      .filter(Boolean)
      .sort(),
  )
  expect(words).toEqual(cases.map(([, expected]) => expected))
})

/** A shell on a terminal of its own, in which a line is completed by a TAB, until it shows `expected`. */
const zshDriver = (line: string, expected: string): string => `
  zmodload zsh/zpty
  zpty shell zsh -f -i
  wait_for() {
    local chunk; integer tries
    for ((tries = 0; tries < 500; tries++)); do
      while zpty -r -t shell chunk; do shown+=$chunk; done
      [[ $shown == *$1* ]] && return
      sleep 0.02
    done
  }
  zpty -w shell "fpath=(${place} \\$fpath) PS1='' && autoload -Uz compinit && compinit -u && echo REA''DY"
  wait_for READY
  zpty -n -w shell $'${line}\\t'
  wait_for ${expected}
  zpty -d shell
  print -r -- $shown`

requires('zsh').test('zsh completes commands, options and containers', () => {
  writeFileSync(join(place, '_bundle-tool'), print('completion', 'zsh'))
  for (const [line, expected] of [
    ['bundle-tool pul', 'bundle-tool pull'],
    ['bundle-tool run --pid-', '--pid-file'],
    ['bundle-tool kill dat', 'database'],
  ] as const) {
    expect(run('zsh', '-fc', zshDriver(line, `'${expected}'`)).stdout).toContain(expected)
  }
})

plainTest('a shell that is not known is named', () => {
  expect(run(tool, 'completion', 'tcsh')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('bash, zsh, fish'),
  })
})

plainTest('there is a manual page for the tool and for each command', () => {
  expect(print('man')).toContain('.TH BUNDLE-TOOL 1')
  const page = print('man', 'pull')
  expect(page).toMatch(/^\.SH NAME\nbundle\\-tool\\-pull \\- make a bundle of an image in a registry$/m)
  expect(page).toMatch(/^\.B \\-\\-out value, \\-o value\n/m)
  expect(run(tool, 'man', 'nosuch')).toMatchObject({
    status: 3,
    stderr: expect.stringContaining("'nosuch'"),
  })
})

requires('man').test('man(1) has nothing to say against the pages', () => {
  for (const command of [[], ['run'], ['pull'], ['exec'], ['completion']]) {
    writeFileSync(join(place, 'page.1'), print('man', ...command))
    const { status, stdout, stderr } = run('man', '--warnings', '-l', join(place, 'page.1'))
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^SYNOPSIS$/m)
  }
})
