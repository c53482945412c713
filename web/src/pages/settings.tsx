import { address, type Schemas } from "../api";
import { Failure } from "../parts/fresh";
import { NoRights } from "../parts/norights";
import { useAnswer } from "../load";
import { Projects } from "../manage/projects";
import { ArchiveProject } from "../manage/archive";
import { SettingsForm } from "../manage/settingsform";
import { ZoneChange } from "../manage/zonechange";
import { isAdmin, isOwner, slug } from "../rights";

export function SettingsPage() {
  return isOwner.value ? <Settings key={slug.value} /> : <NoRights title="Settings">Only owners of the project change its settings.</NoRights>;
}

function Settings() {
  const loaded = useAnswer<Schemas["ProjectDetails"]>(address("/auth/projects/{project}", undefined, { project: slug.value }));
  const project = loaded.answer;
  return (
    <>
      <div class="head"><h1>Settings</h1></div>
      <Failure loaded={loaded} />
      {project?.time_zone_change && <ZoneChange change={project.time_zone_change} />}
      <section class="card">
        <h2>{project?.name ?? <span class="skeleton" />}</h2>
        {project ? <SettingsForm project={project} onSaved={loaded.retry} /> : <div class="settings"><span class="skeleton" /></div>}
      </section>
      {project && <ArchiveProject project={project} onChanged={loaded.retry} />}
      {isAdmin.value && project && <Projects />}
    </>
  );
}
