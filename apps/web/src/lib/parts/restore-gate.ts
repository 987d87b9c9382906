import type { RestorePlan } from '@tiny-forge/contracts/domain';

/** Why the restore button is off; `undefined` when it may be pressed. */
export type Missing = 'plan' | 'blockers' | 'warnings' | 'word';

export const sameWord = (typed: string, word: string): boolean =>
  typed.trim().toLocaleLowerCase('en') === word.trim().toLocaleLowerCase('en') && word.trim() !== '';

export const warningKey = (warning: RestorePlan['warnings'][number]): string =>
  `${warning.code} ${JSON.stringify(Object.entries(warning.params).sort())}`;

export function missingFor(
  plan: RestorePlan | undefined,
  ticked: ReadonlySet<string>,
  typed: string,
): Missing | undefined {
  if (plan === undefined) return 'plan';
  if (plan.blockers.length > 0) return 'blockers';
  if (!plan.warnings.every((warning) => ticked.has(warningKey(warning)))) return 'warnings';
  return sameWord(typed, plan.confirmWord) ? undefined : 'word';
}

export type PlanPart = 'volumes' | 'stops' | 'image' | 'warnings' | 'live';

/** What a person agreed to and is now different: the parts the plan hash covers, nothing that changes by itself. */
export function changedParts(before: RestorePlan, after: RestorePlan): Set<PlanPart> {
  const changed = new Set<PlanPart>();
  const differs = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  const volumes = (plan: RestorePlan) => [
    plan.volumes.map(({ index, target, scope, source, hostPath }) => [index, target, scope, source, hostPath]),
    plan.untouchedVolumes.map(({ target }) => target),
  ];
  if (differs(volumes(before), volumes(after))) changed.add('volumes');
  if (
    differs(
      before.stops.map((stop) => stop.name),
      after.stops.map((stop) => stop.name),
    )
  )
    changed.add('stops');
  if (differs(before.image?.imageId, after.image?.imageId)) changed.add('image');
  if (differs(before.warnings.map(warningKey), after.warnings.map(warningKey))) changed.add('warnings');
  // The hash also covers what a page cannot show: the identity of the folders and the revision of the app.
  if (changed.size === 0 && before.planHash !== after.planHash) changed.add('live');
  return changed;
}
