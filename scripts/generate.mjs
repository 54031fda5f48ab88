// Writes what is derived from the contract, the op table and the list of commands: native/contract.h, native/runner/ops.h,
// src/program/README.md, docs/json.md and the manual pages in package.json. With --check, only compares.
import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const contract = await import('../dist/program/contract.js')
const { callOptions, globalOptions, lifecycleOptions, logFormats } = await import('../dist/program/options.js')
const { layOut } = await import('../dist/program/structs.js')
const { ops, phases, registers, tolerableErrors } = await import('../dist/program/ops.js')
const { commands } = await import('../dist/cli/commands.js')
const { errorShape, exampleError, jsonShapes } = await import('../dist/cli/json/shapes.js')
const { errorCodes } = await import('../dist/errors.js')
const { configFlags } = await import('../dist/bundle/changes/table.js')
const { configPage } = await import('./config-page.mjs')
const { jsonPage } = await import('./json-page.mjs')
const { resolveKind } = await import('../dist/program/flags.js')

const upper = (name) => name.toUpperCase()
const operandNames = { slot: 'SLOT', newSlot: 'NEW_SLOT', text: 'TEXT', string: 'STRING', list: 'LIST', bytes: 'BYTES' }
const operandOf = (kind) => `OPERAND_${operandNames[kind] ?? 'NUMBER'}`
const byNumber = Object.entries(ops).sort(([, a], [, b]) => a.number - b.number)

function header() {
  const opLines = byNumber.map(([name, { number, operands, syscall }]) => {
    const kinds = Object.values(operands).map(operandOf)
    const head = `${name}, ${number}, (${kinds.length ? kinds.join(', ') : 'OPERAND_NONE'})`
    if (!syscall) return `\tFUNCTION(${head})`
    const [called, ...values] = syscall
    const given = values.map((value) => argument(value, Object.keys(operands)))
    return `\tCALL(${[head, called, ...(given.length ? given : ['CONSTANT(0)'])].join(', ')})`
  })
  return `/* Generated from src/program/ops.ts by \`npm run generate\`. Do not edit. */
#pragma once

enum { REGISTER_COUNT = ${registers.length} };

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

const integers = { u8: 'uint8_t', u16: 'uint16_t', u32: 'uint32_t', i32: 'int32_t', u64: 'uint64_t', i64: 'int64_t' }
const types = { char: 'char', ...integers }

/** A structure in C, and the check that a compiler lays it out as TypeScript does. */
function struct([name, { does, fields, ...rest }]) {
  const lines = Object.entries(fields).map(([field, [type, count = 1, comment]]) => {
    const many = count === 1 ? '' : `[${count}]`
    return `\t${types[type]} ${field}${many};${comment ? ` /* ${comment} */` : ''}`
  })
  const { size } = layOut({ does, fields, ...rest })
  return `/* ${does} */
struct ${name} {
${lines.join('\n')}
};

_Static_assert(sizeof(struct ${name}) == ${size}, "as src/program/structs.ts lays it out");
`
}

/** `enum name { PREFIX_A = 1, ... };` of an object of numbers, whose names are in camel case. */
function enumeration(name, prefix, values) {
  const members = Object.entries(values).map(([key, value]) => `${prefix}_${constant(key)} = ${value}`)
  return `enum ${name} { ${members.join(', ')} };`
}

/** `#define PREFIX_A "..."` of an object of texts. */
const definitions = (prefix, texts) =>
  Object.entries(texts).map(([key, text]) => `#define ${prefix}${constant(key)} ${quoted(text)}`)

const quoted = (text) => JSON.stringify(text)
const listed = (texts) => texts.map(quoted).join(', ')
const hexadecimal = (number) => `0x${number.toString(16)}ULL`

function contractHeader() {
  const c = contract
  const optionLines = callOptions.map(({ name, letter, value, kept }) => {
    const short = letter === undefined ? 'NULL' : quoted(`-${letter}`)
    return `\tOPTION(${constant(name)}, "--${name}", ${short}, ${value !== undefined}, ${upper(kept)})`
  })
  const globalLines = globalOptions.map(
    ({ name, value, needsAll }) =>
      `\tOPTION(${constant(name)}, "--${name}", ${value !== undefined}, ${needsAll === true})`,
  )
  const lifecycle = Object.entries(lifecycleOptions)
  const lifecycleLines = lifecycle.flatMap(([command, options]) =>
    options
      .filter(({ isForFront }) => isForFront)
      .map(
        ({ name, letter }) => `\tOPTION(${constant(name)}, ${quoted(command)}, "--${name}", ${quoted(`-${letter}`)})`,
      ),
  )
  const numbers = Object.keys(c.structs.report.fields).filter((name) => name !== 'detail')
  return `/* Generated from src/program/contract.ts and options.ts by \`npm run generate\`. Do not edit. */
#pragma once

#include <stdint.h>

/* Exit codes: there is no program, and nothing was done; a program could not be executed. */
enum { NO_PROGRAM = ${c.noProgram}, NOT_EXECUTED = ${c.notExecuted} };

/* First words of command lines, and variables, by which the processes of the tool tell each other something. */
${definitions('ARGV0_', c.argv0).join('\n')}
#define VARIABLE_PREFIX ${quoted(c.variablePrefix)}
${definitions('VARIABLE_', c.variables).join('\n')}

/* A value of VARIABLE_NO_NODE: there are no scripts for Node.js. */
#define RUNTIME_ALONE ${quoted(c.runtimeAlone)}

/* Beginnings of variables that Node.js does not get; it gets the latter for a command that talks to servers. */
#define CODE_VARIABLES ${listed(c.codeVariables)}
#define TRUST_VARIABLES ${listed(c.trustVariables)}

/* Variables that decide what a try runs; the beginning of the ID of its container. */
#define TRY_VARIABLES ${listed(c.tryVariables)}
#define TRY_PREFIX ${quoted(c.tryPrefix)}

/* Commands that need Node.js. */
#define NODE_COMMANDS ${listed(c.nodeCommands)}

/* Names of files. */
#define STATE_FILE ${quoted(c.stateFile)}
#define RECORD_FILE ${quoted(c.recordFile)}
#define START_FIFO ${quoted(c.startFifo)}
#define KEEPER_FILE ${quoted(c.keeperFile)}
#define KEPT_PREFIX ${quoted(c.keptPrefix)}

/* The state root of a user without XDG_RUNTIME_DIR, and the number of the user behind it. */
#define TEMPORARY_ROOT_PREFIX ${quoted(c.temporaryRootPrefix)}

/* The first lines of a container's record, and characters in the line of flags: what is plain, so that the front does it. */
#define RECORD_VERSION ${quoted(c.recordVersion)}

enum record_line { ${c.recordLines.map((name) => `RECORD_${upper(name)}_LINE`).join(', ')}, RECORD_LINES };
enum record_flag { ${Object.entries(c.recordFlags)
    .map(([name, flag]) => `PLAIN_${upper(name)} = '${flag}'`)
    .join(', ')} };

#define FNV_OFFSET ${hexadecimal(c.fnvOffset)}
#define FNV_PRIME ${hexadecimal(c.fnvPrime)}

/* The first bytes of a program, and of a kept one. */
#define PROGRAM_MAGIC ${quoted(c.magic)}
#define KEPT_MAGIC ${quoted(c.keptMagic)}

enum { PROGRAM_VERSION = ${c.version}, TEXT_ESCAPE = ${c.textEscape}, TEXT_REGISTER = ${c.firstRegister}, OUTPUT_DIVIDER = ${c.outputDivider} };
enum { MAX_OPERANDS = ${c.maxOperands}, MAX_SLOTS = ${c.maxSlots}, MAX_PROGRAM = ${c.maxProgramBytes} };
enum { DETAIL_SIZE = ${c.detailBytes}, MAX_ORDER = ${c.maxOrderBytes}, MAX_REGISTER = ${c.maxRegisterBytes} };

/* ${c.endSignal}: nobody waits for the container any more. */
enum { END_SIGNAL = ${constants.signals[c.endSignal]} };

${enumeration('guard_kind', 'GUARD', c.guardKinds)}
${enumeration('report_kind', 'REPORT', c.reportKinds)}
${enumeration('order_kind', 'ORDER', c.orderKinds)}
${enumeration('tree_kind', 'TREE', c.treeKinds)}
${enumeration('tree_flag', 'WITH', c.treeFlags)}
enum { TREE_MEMORY = ${c.treeMemoryBytes}, TREE_TEXT = ${c.treeTextBytes} };

${Object.entries(c.structs).map(struct).join('\n')}
/* FIELD(name): the numbers of a report, in their order. */
#define REPORT_NUMBERS(FIELD) ${numbers.map((name) => `FIELD(${name})`).join(' ')}

/* OPTION(name, with two dashes, whether it has a value, whether it is left to Node.js): options before the command. */
#define GLOBAL_OPTIONS(OPTION) \\
${globalLines.join(' \\\n')}

#define LOG_FORMATS ${listed(logFormats)}

/* COMMAND(name): on a container that is there. OPTION(name, its command, with two dashes, with one): what the front knows. */
#define LIFECYCLE_COMMANDS(COMMAND) ${lifecycle.map(([command]) => `COMMAND(${command})`).join(' ')}

#define LIFECYCLE_OPTIONS(OPTION) \\
${lifecycleLines.join(' \\\n')}

/* How a kept program depends on an option. */
enum dependence { NEVER, BY_NAME, BY_VALUE, APART, NONE };

/* OPTION(name, with two dashes, with one or NULL, whether it has a value, dependence): those of run, create and exec. */
#define CALL_OPTIONS(OPTION) \\
${optionLines.join(' \\\n')}
`
}

/** NAME_OF_THIS of name-of-this or nameOfThis. */
const constant = (name) => upper(name.replace(/[A-Z]/g, '_$&').replaceAll('-', '_'))

/** package.json with the list of the manual pages: npm installs no others. */
function packageFile() {
  const text = readFileSync('package.json', 'utf8')
  const pages = ['bundle-tool', ...commands.map(({ name }) => `bundle-tool-${name}`)].sort()
  const list = pages.map((page) => `    "./dist/share/man/man1/${page}.1"`).join(',\n')
  return text.replace(/"man": \[[^\]]*\]/, () => `"man": [\n${list}\n  ]`)
}

const files = {
  'package.json': packageFile(),
  'docs/config.md': configPage(configFlags),
  'docs/json.md': jsonPage({ commands, jsonShapes, errorShape, exampleError, errorCodes }),
  'native/contract.h': contractHeader(),
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
