import { roles, type ProjectRole } from "./roles";

// RoleField chooses the role of a member.
export function RoleField({ value, onChange }: { value: ProjectRole; onChange: (role: ProjectRole) => void }) {
  return (
    <fieldset>
      <legend>Role</legend>
      {roles.map(([role, means]) => (
        <label key={role} class="check">
          <input type="radio" name="role" value={role} checked={role === value} onChange={() => onChange(role)} />
          <span>{role} <span class="quiet">{means}</span></span>
        </label>
      ))}
    </fieldset>
  );
}
