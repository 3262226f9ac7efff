//! Roles and the permissions they grant.

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::{ids, may};
use services::{
    roles::{NewRole, RoleChange, role_permissions},
    rows::role::Model,
};

use super::{
    context::{ContextExt, format_id, parse_id, parse_ids},
    enums::Permission,
    failure::{Result, null_if_missing},
    payload::{catch_refusals, payload},
    scalar::DateTime,
    user::{self, User},
};

/// Maximum number of roles in one mutation.
const MAX: usize = 20;

/// A named set of permissions that can be assigned to users.
#[derive(Description, Debug, Clone)]
pub struct Role(Model);

impl From<Model> for Role {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Role {
    /// Identifier; starts with `rol_`.
    pub(super) async fn id(&self) -> ID {
        format_id(self.0.id)
    }

    /// Display name; unique within the tenant.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether the role is one of the standard roles, which every tenant has and nobody can change.
    async fn standard(&self) -> bool {
        self.0.standard
    }

    /// Permissions that the role grants.
    async fn permissions(&self) -> Vec<Permission> {
        role_permissions(&self.0).into_iter().map(Permission::from).collect()
    }

    /// Time at which the role was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

/// A permission and the standard roles that grant it.
#[derive(SimpleObject)]
pub struct PermissionInfo {
    /// The permission that is described.
    permission: Permission,
    /// Names of the standard roles that grant the permission.
    standard_roles: Vec<String>,
}

impl PermissionInfo {
    fn of(permission: domain::Permission) -> Self {
        let holds = |role: &&domain::StandardRole| role.permissions().contains(&permission);
        let standard_roles =
            domain::StandardRole::ALL.iter().filter(holds).map(ToString::to_string).collect();
        Self { permission: permission.into(), standard_roles }
    }
}

/// The role with this id in the caller's tenant. Needs `ROLE_EDIT`.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Role> {
    let by = ctx.caller().allow::<may::RoleEdit>()?;
    let id = parse_id::<ids::Role>(id, "role", "id")?;
    let roles = ctx.services().roles().list(&by).await?;
    let role = roles.into_iter().find(|role| role.id == id);
    Ok(role.ok_or_else(|| services::Error::not_found("role"))?.into())
}

#[derive(Default)]
pub struct RoleQuery;

#[Object]
impl RoleQuery {
    /// All roles of the tenant, standard roles first. Needs `ROLE_EDIT`.
    async fn roles(&self, ctx: &Context<'_>) -> Option<Result<Vec<Role>>> {
        null_if_missing(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            Ok(ctx.services().roles().list(&by).await?.into_iter().map(Role).collect())
        })
        .await
    }

    /// All permissions that a role can grant. Needs `ROLE_EDIT`.
    async fn permissions(&self, ctx: &Context<'_>) -> Option<Result<Vec<PermissionInfo>>> {
        null_if_missing(async {
            ctx.caller().allow::<may::RoleEdit>()?;
            let all = domain::Permission::ALL.iter().copied().filter(|one| *one != domain::Permission::Staff);
            Ok(all.map(PermissionInfo::of).collect())
        })
        .await
    }
}

/// Fields of a new custom role.
#[derive(InputObject)]
pub struct CreateRoleInput {
    /// Display name, 1 to 200 characters; unique within the tenant.
    name: String,
    /// Permissions that the role grants; the caller must have all of them.
    permissions: Vec<Permission>,
}

/// Fields of a custom role to change; omitted fields keep their value.
#[derive(InputObject)]
pub struct UpdateRoleInput {
    /// Identifier of the role to change.
    id: ID,
    /// Display name, 1 to 200 characters; unique within the tenant.
    name: Option<String>,
    /// Complete new list of permissions that the role grants.
    permissions: Option<Vec<Permission>>,
}

/// Selects the custom role to remove.
#[derive(InputObject)]
pub struct DeleteRoleInput {
    /// Identifier of the role to remove.
    id: ID,
}

/// Selects a user and the roles to assign.
#[derive(InputObject)]
pub struct AssignRolesInput {
    /// Identifier of the user who receives the roles.
    user_id: ID,
    /// Identifiers of the roles, 1 to 20. The caller must have every permission that the roles grant.
    role_ids: Vec<ID>,
}

/// Selects a user and the roles to remove.
#[derive(InputObject)]
pub struct UnassignRolesInput {
    /// Identifier of the user who loses the roles.
    user_id: ID,
    /// Identifiers of the roles, 1 to 20. The caller must have every permission that the roles grant.
    role_ids: Vec<ID>,
}

payload! {
    /// Result of `createRole`.
    CreateRolePayload {
        /// The new role.
        role: Role,
    }
}
payload! {
    /// Result of `updateRole`.
    UpdateRolePayload {
        /// The updated role.
        role: Role,
    }
}
payload! {
    /// Result of `deleteRole`.
    DeleteRolePayload {
        /// Identifier of the removed role.
        deleted_role_id: ID,
    }
}
payload! {
    /// Result of `assignRoles`.
    AssignRolesPayload {
        /// The user with the updated roles; null if the caller lacks `USER_VIEW`.
        user: User,
    }
}
payload! {
    /// Result of `unassignRoles`.
    UnassignRolesPayload {
        /// The user with the updated roles; null if the caller lacks `USER_VIEW`.
        user: User,
    }
}

#[derive(Default)]
pub struct RoleMutation;

#[Object]
impl RoleMutation {
    /// Creates a custom role. Needs `ROLE_EDIT`.
    async fn create_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `createRole`.")] input: CreateRoleInput,
    ) -> Result<CreateRolePayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            let permissions = input.permissions.into_iter().map(Into::into).collect();
            let role = ctx.services().roles().create(&by, NewRole { name: input.name, permissions }).await?;
            Ok(CreateRolePayload::done(Role(role)))
        })
        .await
    }

    /// Changes a custom role and thereby the permissions of all users who have it. Needs `ROLE_EDIT`.
    async fn update_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `updateRole`.")] input: UpdateRoleInput,
    ) -> Result<UpdateRolePayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            let permissions = input.permissions.map(|all| all.into_iter().map(Into::into).collect());
            let change = RoleChange { name: input.name, permissions };
            let role = ctx.services().roles().update(&by, parse_id(&input.id, "role", "id")?, change).await?;
            Ok(UpdateRolePayload::done(Role(role)))
        })
        .await
    }

    /// Removes a custom role; users who have the role lose the permissions that it granted. Needs `ROLE_EDIT`.
    async fn delete_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `deleteRole`.")] input: DeleteRoleInput,
    ) -> Result<DeleteRolePayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            ctx.services().roles().delete(&by, parse_id(&input.id, "role", "id")?).await?;
            Ok(DeleteRolePayload::done(input.id))
        })
        .await
    }

    /// Assigns all the given roles to a user, or none if any is refused. Needs `ROLE_EDIT` and every permission that
    /// the roles grant.
    async fn assign_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `assignRoles`.")] input: AssignRolesInput,
    ) -> Result<AssignRolesPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            let (user, roles) = of_user(&input.user_id, &input.role_ids)?;
            ctx.services().roles().assign(&by, user, &roles).await?;
            Ok(AssignRolesPayload::done(user::read_if_visible(ctx.services(), &ctx.caller(), user).await?))
        })
        .await
    }

    /// Removes all the given roles from a user, or none if any is refused. Needs `ROLE_EDIT` and every permission
    /// that the roles grant. Refused if the tenant would lose its last administrator.
    async fn unassign_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Parameters of `unassignRoles`.")] input: UnassignRolesInput,
    ) -> Result<UnassignRolesPayload> {
        catch_refusals(async {
            let by = ctx.caller().allow::<may::RoleEdit>()?;
            let (user, roles) = of_user(&input.user_id, &input.role_ids)?;
            ctx.services().roles().unassign(&by, user, &roles).await?;
            Ok(UnassignRolesPayload::done(user::read_if_visible(ctx.services(), &ctx.caller(), user).await?))
        })
        .await
    }
}

type OfUser = (domain::Id<ids::User>, Vec<domain::Id<ids::Role>>);

fn of_user(user: &ID, roles: &[ID]) -> Result<OfUser> {
    Ok((parse_id(user, "user", "userId")?, parse_role_ids(roles)?))
}

/// Parses the ids in an input's `roleIds`, up to 20.
pub(super) fn parse_role_ids(roles: &[ID]) -> Result<Vec<domain::Id<ids::Role>>> {
    if roles.len() > MAX {
        let refusal = services::Refusal::new("TOO_MANY", format!("Give at most {MAX} roles at once."));
        return Err(refusal.at("roleIds").exceeding(MAX, roles.len()).into());
    }
    parse_ids(roles, "role", "roleIds")
}
