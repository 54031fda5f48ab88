import { describe, expect, test } from 'vitest'
import { docker } from '../../src/engine/docker.ts'

const runtime = { path: '/opt/bundle-tool', isDefault: false }
const asDefault = { ...runtime, isDefault: true }
const add = (given: typeof runtime, text: string) => docker.add(given, text, [])
const refused = expect.objectContaining({ code: 'ERR_ENGINE_CONFIG' })

test('a new file has the runtime, and is gone with it', () => {
  for (const given of [runtime, asDefault]) {
    const text = add(given, '')
    expect(JSON.parse(text)).toEqual({
      ...(given.isDefault && { 'default-runtime': 'bundle-tool' }),
      runtimes: { 'bundle-tool': { path: '/opt/bundle-tool' } },
    })
    expect(docker.remove(text)).toBeUndefined()
  }
})

const others = `{
  "log-driver": "journald",
  "unknown-key": [1, {"a": null}],
  "default-runtime": "nvidia",
  "runtimes": {
    "nvidia": { "path": "nvidia-container-runtime", "runtimeArgs": [] }
  }
}
`

describe('a file of others', () => {
  const before = JSON.parse(others)
  test('keeps all it has, unknown keys and its indentation', () => {
    const text = add(runtime, others)
    expect(text).toMatch(/^{\n {2}"log-driver"/)
    expect(JSON.parse(text)).toEqual({
      ...before,
      runtimes: { ...before.runtimes, 'bundle-tool': { path: '/opt/bundle-tool' } },
    })
    expect(JSON.parse(docker.remove(text) ?? '')).toEqual(before)
  })
  test('has the entry once, the last one', () => {
    const text = add({ ...runtime, path: '/new' }, add(runtime, others))
    expect(JSON.parse(text).runtimes['bundle-tool']).toEqual({ path: '/new' })
    expect(add({ ...runtime, path: '/new' }, text)).toBe(text)
  })
  test('has the default that was asked for last', () => {
    expect(JSON.parse(add(asDefault, others))['default-runtime']).toBe('bundle-tool')
    expect(JSON.parse(add(runtime, add(asDefault, '{"debug": true}')))['default-runtime']).toBeUndefined()
    expect(JSON.parse(docker.remove(add(asDefault, '{"debug": true}')) ?? '')).toEqual({ debug: true })
  })
})

test.each(['[]', '{', 'null', '{"runtimes": []}', '{"runtimes": {}} x'])('%s is refused', (text) => {
  expect(() => add(runtime, text)).toThrow(refused)
  expect(() => docker.remove(text)).toThrow(refused)
})
