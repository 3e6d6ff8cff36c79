// What axe finds on a page as it is now.
import { AxeBuilder } from '@axe-core/playwright'
import { expect } from '@playwright/test'
import type { Person } from './person'

export async function isClean(person: Person, what: string): Promise<void> {
  const result = await new AxeBuilder({ page: person.page }).analyze()
  const violations = result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)
  expect.soft(violations, what).toEqual([])
}
