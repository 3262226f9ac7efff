//! Guides for IT administrators, for products that show them themselves or hand them on (S2.2).

use async_graphql::{Context, Object, SimpleObject};

use crate::{
    graphql::{
        context::ContextExt,
        enums::ProviderKind,
        failure::{Result, null_if_missing},
        scalar::Url,
    },
    guides,
};

/// A guide that leads an IT administrator through the connection of a calendar system, with the ids and URLs of this
/// installation.
#[derive(Debug, Clone, PartialEq, Eq, SimpleObject)]
pub struct Guide {
    /// Name of the calendar system.
    title: String,
    /// Language of the text as a BCP 47 tag: that of the request's `Accept-Language` if it is available, otherwise `en`.
    language: String,
    /// The guide in Markdown (CommonMark) without HTML, from the title of level 1 on.
    markdown: String,
    /// The page with the same text; it can be opened without signing in.
    url: Url,
}

#[derive(Default)]
pub struct GuideQuery;

#[Object]
impl GuideQuery {
    /// Returns the guide to a calendar system. Any user of the tenant may call it.
    async fn guide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Calendar system to connect.")] provider: ProviderKind,
    ) -> Option<Result<Guide>> {
        null_if_missing(async {
            ctx.caller().allow_member()?;
            let (services, provider) = (ctx.services(), provider.into());
            let guide = guides::Guide::of(provider, services);
            Ok(Guide {
                title: guide.title.to_owned(),
                language: guide.language.tag().to_owned(),
                markdown: guide.markdown(),
                url: Url(services.settings.absolute_url(&guides::path(provider))),
            })
        })
        .await
    }
}
