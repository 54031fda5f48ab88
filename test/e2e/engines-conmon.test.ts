import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe } from 'vitest'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { EnginePlace, pathOf, runtimes } from './engine-place.ts'
import { conmonRows } from './engine-rows/conmon.ts'
import { type RowEngine, testRows } from './engine-rows/rows.ts'

const { test } = requires('root', 'conmon', 'runc', 'busybox')

describe('conmon with this runtime', () => {
  let place: EnginePlace
  let bundle: ContainerPlace
  beforeAll(() => {
    place = new EnginePlace('conmon')
    bundle = new ContainerPlace()
    bundle.configure('true')
    mkdirSync(place.at('bundle'))
    execFileSync('cp', ['-a', `${bundle.bundle}/.`, place.at('bundle')])
    writeFileSync(place.at('log'), '')
  })
  afterAll(async () => {
    await bundle.close()
    await place.close()
  })
  const rowEngine = (runtime: string): RowEngine => ({
    place,
    runtime,
    call: () => ({ status: 0, stdout: '', stderr: '' }), // a row deletes its own container
    onTerminal: (...args) => place.callOnTerminal(args),
    run: [pathOf(runtime)],
  })
  testRows(test, conmonRows, {
    title: () => `conmon ${/version (\S+)/.exec(place.call(['conmon', '--version']).stdout)?.[1]}`,
    engines: () => runtimes.map(rowEngine),
  })
})
