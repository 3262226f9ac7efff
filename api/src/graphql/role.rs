//! Roles and permissions.

use async_graphql::{Context, Description, ID, InputObject, Object, SimpleObject};
use domain::ids;
use services::{
    entity::role::Model,
    roles::{NewRole, RoleChange, permissions_in},
};

use super::{
    context::{Ask, all_named, named, shown},
    failure::{Result, found},
    payload::{answer, payload},
    scalar::DateTime,
    user::{self, User},
    words::Permission,
};

/// How many roles can be named at once.
const MOST: usize = 20;

/// A named set of permissions.
#[derive(Description, Debug, Clone)]
pub struct Role(Model);

impl From<Model> for Role {
    fn from(model: Model) -> Self {
        Self(model)
    }
}

#[Object(use_type_description)]
impl Role {
    /// The id; it begins with `rol_`.
    pub(super) async fn id(&self) -> ID {
        shown::<ids::Role>(self.0.id)
    }

    /// The name, for people; one of its kind within the tenant.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether every tenant has it from the start. Standard roles cannot be changed.
    async fn standard(&self) -> bool {
        self.0.standard
    }

    /// What its holders may do.
    async fn permissions(&self) -> Vec<Permission> {
        permissions_in(&self.0).into_iter().map(Permission::from).collect()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }
}

/// One thing that a role may allow.
#[derive(SimpleObject)]
pub struct PermissionInfo {
    /// The permission.
    permission: Permission,
    /// The standard roles that hold it.
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

/// One role of the tenant.
pub(super) async fn read(ctx: &Context<'_>, id: &ID) -> Result<Role> {
    let by = ctx.caller().allow(domain::Permission::RoleEdit)?;
    let id = named::<ids::Role>(id, "role", "id")?;
    let roles = ctx.services().roles().list(&by).await?;
    let role = roles.into_iter().find(|role| role.id == id.uuid());
    Ok(role.ok_or_else(|| services::Error::not_found("role"))?.into())
}

#[derive(Default)]
pub struct RoleQuery;

#[Object]
impl RoleQuery {
    /// All roles of the tenant, the standard ones first. Needs `ROLE_EDIT`.
    async fn roles(&self, ctx: &Context<'_>) -> Option<Result<Vec<Role>>> {
        found(async {
            let by = ctx.caller().allow(domain::Permission::RoleEdit)?;
            Ok(ctx.services().roles().list(&by).await?.into_iter().map(Role).collect())
        })
        .await
    }

    /// Everything that a role may allow. Needs `ROLE_EDIT`.
    async fn permissions(&self, ctx: &Context<'_>) -> Option<Result<Vec<PermissionInfo>>> {
        found(async {
            ctx.caller().allow(domain::Permission::RoleEdit)?;
            let all = domain::Permission::ALL.iter().copied().filter(|one| *one != domain::Permission::Staff);
            Ok(all.map(PermissionInfo::of).collect())
        })
        .await
    }
}

/// A custom role to be made.
#[derive(InputObject)]
pub struct CreateRoleInput {
    /// The name, for people: 1 to 200 characters, one of its kind within the tenant.
    name: String,
    /// What its holders may do: nothing that the caller may not do.
    permissions: Vec<Permission>,
}

/// What of a custom role is to be changed; what is absent stays.
#[derive(InputObject)]
pub struct UpdateRoleInput {
    /// The role.
    id: ID,
    /// The name, for people: 1 to 200 characters, one of its kind within the tenant.
    name: Option<String>,
    /// All that its holders may do from now on.
    permissions: Option<Vec<Permission>>,
}

/// A custom role to be removed.
#[derive(InputObject)]
pub struct DeleteRoleInput {
    /// The role.
    id: ID,
}

/// Roles that a user gets.
#[derive(InputObject)]
pub struct AssignRolesInput {
    /// The user.
    user_id: ID,
    /// The roles, 1 to 20. The caller must have all that they allow.
    role_ids: Vec<ID>,
}

/// Roles that a user loses.
#[derive(InputObject)]
pub struct UnassignRolesInput {
    /// The user.
    user_id: ID,
    /// The roles, 1 to 20. The caller must have all that they allow.
    role_ids: Vec<ID>,
}

payload! {
    /// What `createRole` answers.
    CreateRolePayload {
        /// The new role.
        role: Role,
    }
}
payload! {
    /// What `updateRole` answers.
    UpdateRolePayload {
        /// The role as it stands now.
        role: Role,
    }
}
payload! {
    /// What `deleteRole` answers.
    DeleteRolePayload {
        /// The id of the role that is gone.
        deleted_role_id: ID,
    }
}
payload! {
    /// What `assignRoles` answers.
    AssignRolesPayload {
        /// The user with the user's roles as they stand now; null for a caller who may not see users.
        user: User,
    }
}
payload! {
    /// What `unassignRoles` answers.
    UnassignRolesPayload {
        /// The user with the user's roles as they stand now; null for a caller who may not see users.
        user: User,
    }
}

#[derive(Default)]
pub struct RoleMutation;

#[Object]
impl RoleMutation {
    /// Makes a custom role. Needs `ROLE_EDIT`.
    async fn create_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The role.")] input: CreateRoleInput,
    ) -> Result<CreateRolePayload> {
        answer(async {
            let by = ctx.caller().allow(domain::Permission::RoleEdit)?;
            let permissions = input.permissions.into_iter().map(Into::into).collect();
            let role = ctx.services().roles().create(&by, NewRole { name: input.name, permissions }).await?;
            Ok(CreateRolePayload::done(Role(role)))
        })
        .await
    }

    /// Changes a custom role, and with it what all its holders may do. Needs `ROLE_EDIT`.
    async fn update_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change.")] input: UpdateRoleInput,
    ) -> Result<UpdateRolePayload> {
        answer(async {
            let by = ctx.caller().allow(domain::Permission::RoleEdit)?;
            let permissions = input.permissions.map(|all| all.into_iter().map(Into::into).collect());
            let change = RoleChange { name: input.name, permissions };
            let role = ctx.services().roles().update(&by, named(&input.id, "role", "id")?, change).await?;
            Ok(UpdateRolePayload::done(Role(role)))
        })
        .await
    }

    /// Removes a custom role; its holders lose what it allowed. Needs `ROLE_EDIT`.
    async fn delete_role(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The role.")] input: DeleteRoleInput,
    ) -> Result<DeleteRolePayload> {
        answer(async {
            let by = ctx.caller().allow(domain::Permission::RoleEdit)?;
            ctx.services().roles().delete(&by, named(&input.id, "role", "id")?).await?;
            Ok(DeleteRolePayload::done(input.id))
        })
        .await
    }

    /// Gives a user roles: all of them or none. Needs `ROLE_EDIT` and all that the roles allow.
    async fn assign_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who gets which roles.")] input: AssignRolesInput,
    ) -> Result<AssignRolesPayload> {
        answer(async {
            let by = ctx.caller().allow(domain::Permission::RoleEdit)?;
            let (user, roles) = of_user(&input.user_id, &input.role_ids)?;
            ctx.services().roles().assign(&by, user, &roles).await?;
            Ok(AssignRolesPayload::done(user::visible(ctx.services(), ctx.caller(), user).await?))
        })
        .await
    }

    /// Takes roles from a user: all of them or none. Needs `ROLE_EDIT` and all that the roles allow. The tenant's last
    /// administrator stays one.
    async fn unassign_roles(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who loses which roles.")] input: UnassignRolesInput,
    ) -> Result<UnassignRolesPayload> {
        answer(async {
            let by = ctx.caller().allow(domain::Permission::RoleEdit)?;
            let (user, roles) = of_user(&input.user_id, &input.role_ids)?;
            ctx.services().roles().unassign(&by, user, &roles).await?;
            Ok(UnassignRolesPayload::done(user::visible(ctx.services(), ctx.caller(), user).await?))
        })
        .await
    }
}

type OfUser = (domain::Id<ids::User>, Vec<domain::Id<ids::Role>>);

fn of_user(user: &ID, roles: &[ID]) -> Result<OfUser> {
    Ok((named(user, "user", "userId")?, at_most(roles)?))
}

/// The ids of a list of roles in an input's `roleIds`.
pub(super) fn at_most(roles: &[ID]) -> Result<Vec<domain::Id<ids::Role>>> {
    if roles.len() > MOST {
        let refusal = services::Refusal::new("TOO_MANY", format!("Name at most {MOST} roles at once."));
        return Err(refusal.at("roleIds").exceeding(MOST, roles.len()).into());
    }
    all_named(roles, "role", "roleIds")
}
