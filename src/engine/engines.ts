import { containerd } from './containerd.ts'
import { crio } from './crio.ts'
import { docker } from './docker.ts'
import type { Engine } from './engine.ts'
import { podman } from './podman.ts'

/** The engines whose configuration is known, by their names on the command line. */
export const engines = { docker, containerd, podman, crio } as const satisfies Readonly<Record<string, Engine>>

export type EngineName = keyof typeof engines

export const isEngineName = (name: string): name is EngineName => Object.hasOwn(engines, name)
