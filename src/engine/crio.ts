import { dropIn, removeDropIn } from './drop-in.ts'
import { type Engine, type EngineRuntime, runtimeName } from './engine.ts'
import { parseTable, tableAt, tomlString } from './toml.ts'

/** @see crio.conf(5) "CRIO.RUNTIME.RUNTIMES TABLE" */
export const crio: Engine = {
  file: () => '/etc/crio/crio.conf.d/50-bundle-tool.conf',
  reads: ['/etc/crio/crio.conf', '/etc/crio/crio.conf.d/*.conf'],
  snippet: entry,
  add: (runtime, text, read) => dropIn(entry(runtime, text, read), text),
  remove: removeDropIn,
  restart: { write: 'systemctl restart crio', remove: 'systemctl restart crio' },
}

function entry({ path, isDefault }: EngineRuntime, _: string, read: readonly string[]): string {
  const managers = read.map((text) => tableAt(parseTable(text, 'crio.conf'), ['crio', 'runtime'])?.cgroup_manager)
  // Without systemd the cgroup of conmon must be the pod's.
  const inPod = managers.findLast((manager) => manager !== undefined) === 'cgroupfs'
  return `${isDefault ? `[crio.runtime]\ndefault_runtime = ${tomlString(runtimeName)}\n\n` : ''}[crio.runtime.runtimes.${runtimeName}]
runtime_path = ${tomlString(path)}
runtime_type = "oci"
runtime_root = "/run/bundle-tool"
${inPod ? 'monitor_cgroup = "pod"\n' : ''}`
}
