// The page docs/json.md, of what src/cli/json declares.

/** @returns the page, in Markdown */
export function jsonPage({ commands, jsonShapes, errorShape, exampleError, errorCodes }) {
  const sections = commands
    .filter(({ name }) => jsonShapes[name])
    .map(({ name }) => commandSection(name, jsonShapes[name]))
  return `# JSON

Generated from \`src/cli/json\` by \`npm run generate\`. Do not edit.

Every command that prints data has \`--format json\`, and \`--json\` as its short name. Standard output then has one
document and a line feed, and no progress is shown. Members are added in later versions, and none is removed or gets another
meaning. What runc prints as JSON too (\`list\`, \`ps\`, \`state\`, \`events\`) is what runc prints, byte for byte.

In the tables \`a.b\` is the member \`b\` of the object \`a\`, \`[]\` is each item of an array, \`*\` is each member of an object
whose names are not fixed, and \`?\` marks a member that may be left out.

## Errors and warnings

With \`--format json\` an error is an object on one line of standard error, and the exit code is as without. A warning is a
line too, \`{"warning":{"message":"..."}}\`. With \`--log FILE\` both are lines of the log, and standard error has the error's
object alone; with \`--log-format json\` and no file, standard error has the lines of the log, as from runc.

${table(errorShape)}

\`\`\`json
${JSON.stringify(exampleError)}
\`\`\`

| code | meaning |
| --- | --- |
${Object.entries(errorCodes)
  .map(([code, meaning]) => `| \`${code}\` | ${cell(meaning)} |`)
  .join('\n')}
| \`ERR_INTERNAL\` | a fault of this program, which is to be reported |

${sections.join('\n')}`
}

function commandSection(name, { shape, note, example: { command, document } }) {
  return `## ${name}
${note === undefined ? '' : `\n${note}\n`}
${table(shape)}

\`\`\`sh
bundle-tool ${command}
\`\`\`

\`\`\`json
${JSON.stringify(document)}
\`\`\`
`
}

function table(shape) {
  const rows = rowsOf(shape, '').map(
    ([path, type, says]) => `| ${path === '' ? 'the document' : `\`${path}\``} | ${type} | ${cell(says)} |`,
  )
  return ['| member | type | meaning |', '| --- | --- | --- |', ...rows].join('\n')
}

/** A row for a value, and for each within it. */
function rowsOf(shape, path) {
  const mark = shape.isOptional ? '?' : ''
  const name = shape.type === 'map' ? 'object' : shape.type
  const own = [`${path}${mark}`, shape.isNullable ? `${name} or null` : name, shape.says]
  if (shape.type === 'array') return [own, ...rowsOf(shape.items, `${path}[]`)]
  if (shape.type === 'map') return [own, ...rowsOf(shape.values, inside(path, '*'))]
  if (shape.type !== 'object') return [own]
  return [own, ...Object.entries(shape.members).flatMap(([key, member]) => rowsOf(member, inside(path, key)))]
}

const inside = (path, key) => (path === '' ? key : `${path}.${key}`)

const cell = (text) => text.replaceAll('|', '\\|')
