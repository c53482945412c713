// The form of a project's settings. What others change meanwhile is not undone.
import { useEffect, useState } from "preact/hooks";
import { address, get, send } from "../api";
import { ConflictTable } from "../parts/conflict";
import { Field } from "../parts/field";
import { useSubmit } from "../parts/submit";
import { say } from "../parts/toast";
import { isArchived, slug } from "../rights";
import { Problem, readMe } from "../session";
import { changedSettings, draftOf, patchOf, read, settingNames, settingsOf, shown, weekdays, type Draft, type Project, type Settings } from "./settings";

interface Props {
  project: Project; // as it was last read
  onSaved: () => void;
}

const inFields = ["/name", "/time_zone", "/currency", "/week_start", "/max_event_age_days", "/events_per_second"];

export function SettingsForm({ project, onSaved }: Props) {
  const [base, setBase] = useState(project); // what the changes are made to
  const [theirs, setTheirs] = useState<Project>(); // what somebody else made of it meanwhile
  const [draft, setDraft] = useState<Draft>(draftOf(settingsOf(project)));
  const submit = useSubmit(inFields);
  const dirty = changedSettings(settingsOf(base), read(draft).settings).length > 0;
  const take = (newer: Project) => {
    setBase(newer);
    setDraft(draftOf(settingsOf(newer)));
    setTheirs(undefined);
  };
  useEffect(() => {
    if (!dirty && !submit.busy && project.version > base.version) take(project); // nothing typed is lost
  }, [project.version, dirty, submit.busy]);

  // save writes the changes onto a version, which is a newer one after a conflict.
  const save = (onto: Project) => submit.run(async () => {
    const { settings, errors } = read(draft);
    if (errors.length > 0) throw new Problem(422, "invalid", errors[0]!.detail, errors);
    try {
      take(await send("patch", "/auth/projects/{project}", { places: { project: slug.value }, ifMatch: `"${onto.version}"`, body: patchOf(settingsOf(base), settings) }));
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 412) throw error;
      setTheirs(await get<Project>(address("/auth/projects/{project}", undefined, { project: slug.value })));
      return;
    }
    say(`${settings.name} was saved.`);
    onSaved();
    await readMe(); // the name of the project is in the navigation
  });
  return (
    <>
      {theirs && <Conflict base={base} theirs={theirs} mine={read(draft).settings} busy={submit.busy} onKeep={() => void save(theirs)} onTake={() => take(theirs)} />}
      <form class="form settings" hidden={theirs !== undefined} onSubmit={(event) => (event.preventDefault(), void save(base))}>
        <Controls draft={draft} errorOf={submit.errorOf} onChange={(part) => setDraft((old) => ({ ...old, ...part }))} />
        <button class="primary" disabled={submit.busy || !dirty || isArchived.value}>Save</button>
      </form>
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
    </>
  );
}

interface ControlProps { draft: Draft; errorOf: (pointer: string) => string | undefined; onChange: (part: Partial<Draft>) => void }

function Controls({ draft, errorOf, onChange }: ControlProps) {
  const control = (field: keyof Settings) => ({
    name: field, value: draft[field], disabled: isArchived.value,
    onInput: (event: { currentTarget: { value: string } }) => onChange({ [field]: event.currentTarget.value }),
  });
  const names = (all: string[], chosen: string) => (all.includes(chosen) ? all : [chosen, ...all]).map((one) => <option key={one} value={one}>{one}</option>);
  return (
    <>
      <Field label="Name" error={errorOf("/name")}>{(wired) => <input {...wired} {...control("name")} required maxLength={200} />}</Field>
      <Field label="Time zone" help="Days and hours are counted by its clocks. Another zone moves all days that have their raw events." error={errorOf("/time_zone")}>
        {(wired) => <select {...wired} {...control("time_zone")}>{names(zones, draft.time_zone)}</select>}
      </Field>
      <Field label="Currency" help="Rankings by revenue use it unless another one is chosen." error={errorOf("/currency")}>
        {(wired) => <select {...wired} {...control("currency")}>{names(currencies, draft.currency)}</select>}
      </Field>
      <Field label="Weeks begin on" error={errorOf("/week_start")}>
        {(wired) => <select {...wired} {...control("week_start")}>{weekdays.map((day, i) => <option key={day} value={String(i + 1)}>{day}</option>)}</select>}
      </Field>
      <Field label="Greatest age of events, in days (optional)" help="Older ones are refused. Empty: as the installation sets it, which is also the most." error={errorOf("/max_event_age_days")}>
        {(wired) => <input {...wired} {...control("max_event_age_days")} inputMode="numeric" />}
      </Field>
      <Field label="Events per second (optional)" help="How many all callers together may send, on average over ten seconds. Empty: no limit." error={errorOf("/events_per_second")}>
        {(wired) => <input {...wired} {...control("events_per_second")} inputMode="numeric" />}
      </Field>
    </>
  );
}

const zones = Intl.supportedValuesOf("timeZone"), currencies = Intl.supportedValuesOf("currency");

interface ConflictProps { base: Project; theirs: Project; mine: Settings; busy: boolean; onKeep: () => void; onTake: () => void }

function Conflict({ base, theirs, mine, ...rest }: ConflictProps) {
  const [was, are] = [settingsOf(base), settingsOf(theirs)];
  const [iChanged, theyChanged] = [changedSettings(was, mine), changedSettings(was, are)];
  const differences = (Object.keys(settingNames) as (keyof Settings)[]).filter((field) => iChanged.includes(field) || theyChanged.includes(field)).map((field) => ({
    name: settingNames[field], before: shown(field, was), theirs: theyChanged.includes(field) ? shown(field, are) : undefined,
    mine: iChanged.includes(field) ? shown(field, mine) : undefined,
  }));
  return <ConflictTable what="these settings" differences={differences} {...rest} />;
}
