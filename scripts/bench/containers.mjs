// A bundle to run, and the runtimes that run it.
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dockerConfig, seccompFile } from './docker-config.mjs'
import { compiled, isInstalled, isUnified, ours } from './machine.mjs'

/** `{ name, command }` of every runtime that works where we are: each with a root for its containers' states. */
export function runtimes(scratch) {
  const found = [
    { name: 'bundle-tool', program: ours },
    { name: 'runc', program: 'runc' },
    { name: 'crun', program: 'crun' },
  ].filter(({ name, program }) => name === 'bundle-tool' || (isInstalled(program) && (name !== 'crun' || isUnified())))
  return found.map(({ name, program }) => ({ name, command: [program, '--root', join(scratch, `root-${name}`)] }))
}

/** The kinds of config.json: as `runc spec` writes it, without a terminal, or as Docker does. */
export const configs = existsSync(seccompFile) ? ['spec', 'docker'] : ['spec']

/**
 * Makes a bundle. Its rootfs holds a static busybox.
 *
 * Where controllers are not on cgroup v2, crun can set neither limits nor device rules: without them, then. The
 * version is one that every runtime takes.
 */
export async function makeBundle(scratch, name, args, kind = 'spec') {
  const bundle = join(scratch, `${name}-${kind}`)
  if (!existsSync('/bin/busybox')) throw new Error('/bin/busybox is missing: install busybox-static')
  for (const directory of ['bin', 'dev', 'etc', 'proc', 'sys'])
    mkdirSync(join(bundle, 'rootfs', directory), { recursive: true })
  for (const program of ['true', 'sleep']) copyFileSync('/bin/busybox', join(bundle, 'rootfs/bin', program))
  const config = kind === 'docker' ? dockerConfig(args, makeEtc(bundle)) : await specConfig(args)
  const { rlimits, ...withoutLimits } = config.process
  const { resources, ...withoutResources } = config.linux
  const changed = isUnified() ? { ...config, process: withoutLimits, linux: withoutResources } : config
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(changed))
  return bundle
}

async function specConfig(args) {
  const { defaultConfig } = await compiled('bundle/default-config.js')
  const config = defaultConfig({ rootless: false, cgroupNamespace: isUnified(), uid: 0, gid: 0 })
  return { ...config, ociVersion: '1.0.2', process: { ...config.process, terminal: false, args } }
}

/** The files that Docker keeps for a container. */
function makeEtc(bundle) {
  for (const name of ['resolv.conf', 'hostname', 'hosts']) writeFileSync(join(bundle, name), '')
  return bundle
}

/** Where the numbers were taken, for a title. */
export function setting(kind = 'spec') {
  const config = kind === 'docker' ? "Docker's config.json" : 'config.json as `runc spec` writes it'
  return isUnified() ? `${config}, without rlimits and resources, cgroup v2 alone` : config
}
