import { expect, test } from 'vitest'
import { parseResources } from '../../src/oci/resources.ts'

test('names are accepted in any case, except those that are data', () => {
  const text = `{"CPU": {"Cpus": "0", "QUOTA": 9007199254740993}, "blockio": {"throttlereadbpsdevice":
    [{"Major": 8, "MINOR": 0, "rate": 1}]}, "Unified": {"Memory.High": "1"}, "rdma": {"Mlx": {"hcahandles": 2}}}`
  expect(parseResources(text, 'limits')).toEqual({
    cpu: { cpus: '0', quota: 9007199254740993n },
    blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] },
    unified: { 'Memory.High': '1' },
    rdma: { Mlx: { hcaHandles: 2 } },
  })
})

test('null means absent, and the later of two spellings counts', () => {
  expect(parseResources('{"memory": null, "pids": {"limit": 1, "Limit": 2}}', 'limits')).toEqual({ pids: { limit: 2 } })
  expect(parseResources(' null\n', 'limits')).toEqual({})
})

test.each([
  ['{"pids": {"limit": 5}}\n{"pids": {"limit": 6}}', { pids: { limit: 5 } }, 'line 2, column 1'],
  ['{"pids": {"limit": 9007199254740993}} x', { pids: { limit: 9007199254740993n } }, 'line 1, column 39'],
  ['null, null', {}, 'line 1, column 5'],
])('the first document of %j counts, and the rest causes a warning', (text, value, place) => {
  const warnings: string[] = []
  expect(parseResources(text, 'limits', (message) => warnings.push(message))).toEqual(value)
  expect(warnings).toEqual([`limits: the text after the document, from ${place} on, is ignored`])
})

test.each([
  ['{', 'limits is not JSON: line 1'],
  ['[]', 'limits is invalid'],
  ['{"memory": {"limit": "1"}}', '/memory/limit: must be an integer'],
  ['{"blockIO": {"weight": 70000}}', '/blockIO/weight: must be an integer from 0 to 65535'],
])('%s is refused', (text, message) => {
  expect(() => parseResources(text, 'limits')).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(message) }),
  )
})
