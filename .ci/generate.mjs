// Writes what is derived from the contract, the op table and the list of commands: native/contract.h, native/runner/ops.h,
// src/program/README.md, docs/json.md and the manual pages in package.json. With --check, only compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const { callOptions } = await import('../dist/program/options.js')
const { guardKinds, keptMagic, maxProgramBytes, noProgram, stateFile, temporaryRootPrefix } = await import(
  '../dist/program/contract.js'
)
const { firstRegister, magic, textEscape, version } = await import('../dist/program/encode.js')
const { ops, phases, registers, tolerableErrors } = await import('../dist/program/ops.js')
const { commands } = await import('../dist/cli/commands.js')
const { errorShape, exampleError, jsonShapes } = await import('../dist/cli/json/shapes.js')
const { errorCodes } = await import('../dist/errors.js')
const { jsonPage } = await import('./json-page.mjs')
const { resolveKind } = await import('../dist/program/flags.js')

const upper = (name) => name.toUpperCase()
const operandNames = { slot: 'SLOT', newSlot: 'NEW_SLOT', text: 'TEXT', string: 'STRING', list: 'LIST', bytes: 'BYTES' }
const operandOf = (kind) => `OPERAND_${operandNames[kind] ?? 'NUMBER'}`
const byNumber = Object.entries(ops).sort(([, a], [, b]) => a.number - b.number)

function header() {
  const opLines = byNumber.map(([name, { number, operands, call }]) => {
    const kinds = Object.values(operands).map(operandOf)
    const head = `${name}, ${number}, (${kinds.length ? kinds.join(', ') : 'OPERAND_NONE'})`
    if (!call) return `\tFUNCTION(${head})`
    const [called, ...values] = call
    const given = values.map((value) => argument(value, Object.keys(operands)))
    return `\tCALL(${[head, called, ...(given.length ? given : ['CONSTANT(0)'])].join(', ')})`
  })
  return `/* Generated from src/program/ops.ts by \`npm run generate\`. Do not edit. */
#pragma once

#define PROGRAM_MAGIC "${magic}"
#define PROGRAM_VERSION ${version}

enum { TEXT_ESCAPE = ${textEscape}, TEXT_REGISTER = ${firstRegister}, REGISTER_COUNT = ${registers.length} };

enum register_number { ${registers.map((name) => `REGISTER_${upper(name)}`).join(', ')} };

enum phase { ${phases.map((name) => `PHASE_${upper(name)}`).join(', ')} };

enum { PHASE_COUNT = ${phases.length} };

enum operand_kind { OPERAND_NONE, ${Object.values(operandNames)
    .map((name) => `OPERAND_${name}`)
    .join(', ')}, OPERAND_NUMBER };

enum resolve_kind { ${Object.keys(resolveKind)
    .map((name) => `RESOLVE_${name}`)
    .join(', ')} };

#define TOLERABLE_ERRORS ${Object.keys(tolerableErrors).join(', ')}

/*
 * FUNCTION(name, number, kinds of its operands): op_ and its name is a function.
 * CALL(name, number, kinds of its operands, system call, its arguments): it is nothing else.
 */
#define OPS(FUNCTION, CALL) \\
${opLines.join(' \\\n')}

#define NOTHING(...)
`
}

function argument(value, operands) {
  const [, sign, name] = /^(#?)(.*)$/.exec(value)
  const number = operands.indexOf(name)
  return number < 0 ? `CONSTANT(${value})` : `${sign ? 'LENGTH' : 'OPERAND'}(${number})`
}

function page() {
  const cell = (text) => text.replaceAll('|', '\\|')
  const rows = byNumber.map(
    ([name, { number, operands, does }]) =>
      `| ${number} | \`${name}\` | ${Object.entries(operands)
        .map(([operand, kind]) => `${operand}: ${kind}`)
        .join(', ')} | ${cell(does)} |`,
  )
  return `# Programs

Generated from \`ops.ts\` by \`npm run generate\`. Do not edit.

A program is what \`compile\` makes of a config.json and what the runner (\`native/\`) executes: a list of steps, each an
op with its operands, the config.json value it came from, and the errors it may pass over. Steps run in order; there are
no loops and no jumps. \`bundle-tool explain\` prints a bundle's program.

Phases: ${phases.map((name) => `\`${name}\``).join(', ')}. Registers: ${registers.map((name) => `\`${name}\``).join(', ')}.
Errors a step may tolerate: ${Object.keys(tolerableErrors).join(', ')}.

| number | op | operands | what it does |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

function contract() {
  const optionLines = callOptions.map(({ name, letter, value, kept }) => {
    const short = letter === undefined ? 'NULL' : `"-${letter}"`
    return `\tOPTION(${constant(name)}, "--${name}", ${short}, ${value !== undefined}, ${upper(kept)})`
  })
  const guardLines = Object.entries(guardKinds).map(([name, number]) => `GUARD_${upper(name)} = ${number}`)
  return `/* Generated from src/program/contract.ts by \`npm run generate\`. Do not edit. */
#pragma once

/* An exit code: there is no program, and nothing was done. */
enum { NO_PROGRAM = ${noProgram} };

#define KEPT_MAGIC "${keptMagic}"
#define STATE_FILE "${stateFile}"

enum { MAX_PROGRAM = ${maxProgramBytes} };

/* The state root of a user without XDG_RUNTIME_DIR, and the number of the user behind it. */
#define TEMPORARY_ROOT_PREFIX "${temporaryRootPrefix}"

enum guard_kind { ${guardLines.join(', ')} };

/* How a kept program depends on an option. */
enum dependence { NEVER, BY_NAME, BY_VALUE, APART, NONE };

/* OPTION(name, with two dashes, with one or NULL, whether it has a value, dependence): those of run, create and exec. */
#define CALL_OPTIONS(OPTION) \\
${optionLines.join(' \\\n')}
`
}

const constant = (name) => upper(name).replaceAll('-', '_')

/** package.json with the list of the manual pages: npm installs no others. */
function packageFile() {
  const text = readFileSync('package.json', 'utf8')
  const pages = ['bundle-tool', ...commands.map(({ name }) => `bundle-tool-${name}`)].sort()
  const list = pages.map((page) => `    "./dist/share/man/man1/${page}.1"`).join(',\n')
  return text.replace(/"man": \[[^\]]*\]/, () => `"man": [\n${list}\n  ]`)
}

const files = {
  'package.json': packageFile(),
  'docs/json.md': jsonPage({ commands, jsonShapes, errorShape, exampleError, errorCodes }),
  'native/contract.h': contract(),
  'native/runner/ops.h': header(),
  'src/program/README.md': page(),
}
for (const [path, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(path, text)
  else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${path} is not what src/ says: run \`npm run generate\``)
    process.exitCode = 1
  }
}
