import { expect, test } from 'vitest'
import { annotatedProperties } from '../../../src/compile/cgroup/unit-annotations.ts'
import type { UnitProperty } from '../../../src/compile/cgroup/unit-property.ts'

const prefix = 'org.systemd.property.'
const parse = (name: string, text: string) => annotatedProperties({ [prefix + name]: text, other: 'x' })

test.each<[string, string, UnitProperty]>([
  ['DefaultDependencies', 'true', ['DefaultDependencies', 'b', true]],
  ['CollectMode', "'inactive-or-failed'", ['CollectMode', 's', 'inactive-or-failed']],
  ['Description', `"it's \\"one\\""`, ['Description', 's', `it's "one"`]],
  ['TimeoutStopUSec', 'uint64 30000000', ['TimeoutStopUSec', 't', '30000000']],
  ['TimeoutStopSec', '30', ['TimeoutStopUSec', 't', '30000000']],
  ['TimeoutStopSec', 'uint64 5', ['TimeoutStopUSec', 't', '5000000']],
  ['KillSignal', '10', ['KillSignal', 'i', '10']],
  ['MemoryMax', 'uint64 18446744073709551615', ['MemoryMax', 't', '18446744073709551615']],
  ['After', '[\'crio.service\', "b.target"]', ['After', 'as', ['crio.service', 'b.target']]],
  ['After', '[]', ['After', 'as', []]],
])('%s: %s', (name, text, expected) => expect(parse(name, text)).toEqual([expected]))

test.each([
  ['AB', 'true'],
  ['A-B-C', 'true'],
  ['', 'true'],
  ['Slice', 'x.slice'],
  ['Slice', "'x"],
  ['CPUWeight', 'uint64 -1'],
  ['CPUWeight', "uint64 'x'"],
  ['KillSignal', '2147483648'],
  ['KillSignal', 'int32 2147483648'],
  ['After', "['a', 5]"],
  ['After', "['a' 'b']"],
  ['TimeoutStopSec', 'true'],
  ['TimeoutStopSec', '-1'],
])('%s: %s is refused', (name, text) => {
  expect(() => parse(name, text)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_INVALID', pointer: `/annotations/${prefix}${name}` }),
  )
})
