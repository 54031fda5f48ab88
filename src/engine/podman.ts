import { containersConf } from './containers-conf.ts'
import { dropIn, removeDropIn } from './drop-in.ts'
import { type Engine, type EngineRuntime, runtimeName } from './engine.ts'
import { parseTable, tableAt, tomlString } from './toml.ts'

const name = 'containers/containers.conf.d/50-bundle-tool.conf'

/** The runtimes of which podman itself knows that they write errors as JSON: a list in a file replaces its own. */
const known = ['crun', 'runc', 'kata', 'runsc', 'youki', 'krun', 'ocijail']

/** Podman and Buildah. @see containers.conf(5) "ENGINE TABLE" */
export const podman: Engine = {
  file: (home) => `${home ?? '/etc'}/${name}`,
  reads: containersConf,
  snippet: entry,
  add: (runtime, text, read) => dropIn(entry(runtime, text, read), text),
  remove: removeDropIn,
  restart: undefined,
}

function entry({ path, isDefault }: EngineRuntime, _: string, read: readonly string[]): string {
  const others = read.flatMap((text) => {
    const list = tableAt(parseTable(text, 'containers.conf'), ['engine'])?.runtime_supports_json
    return Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : []
  })
  const withJson = [...new Set([runtimeName, ...known, ...others])]
  return `[engine]
${isDefault ? `runtime = ${tomlString(runtimeName)}\n` : ''}runtime_supports_json = [${withJson.map(tomlString).join(', ')}]

[engine.runtimes]
${runtimeName} = [${tomlString(path)}]
`
}
