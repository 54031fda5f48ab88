// A bundle to run, and the runtimes that run it.
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

/**
 * Makes a bundle with the config.json that `runc spec` writes, without a terminal. Its rootfs holds a static busybox.
 *
 * Where controllers are not on cgroup v2, crun can set neither limits nor device rules: without them, then. The
 * version is one that every runtime takes.
 */
export async function makeBundle(scratch, name, args) {
  const bundle = join(scratch, name)
  if (!existsSync('/bin/busybox')) throw new Error('/bin/busybox is missing: install busybox-static')
  for (const directory of ['bin', 'dev', 'proc', 'sys'])
    mkdirSync(join(bundle, 'rootfs', directory), { recursive: true })
  for (const program of ['true', 'sleep']) copyFileSync('/bin/busybox', join(bundle, 'rootfs/bin', program))
  const { defaultConfig } = await compiled('bundle/default-config.js')
  const config = defaultConfig({ rootless: false, cgroupNamespace: isUnified(), uid: 0, gid: 0 })
  const { rlimits, ...withoutLimits } = config.process
  const { resources, ...withoutResources } = config.linux
  const [process, linux] = isUnified() ? [withoutLimits, withoutResources] : [config.process, config.linux]
  const changed = { ...config, ociVersion: '1.0.2', linux, process: { ...process, terminal: false, args } }
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(changed))
  return bundle
}

/** Where the numbers were taken, for a title. */
export const setting = () =>
  isUnified() ? 'cgroup v2 alone, no rlimits and no resources in config.json' : 'config.json as `runc spec` writes it'
