//! A list, page after page: what was there from the first page to the last comes once.

use crate::client::Client;
use crate::error::ClientError;
use tessera_model::{Private, TenantId};
use tessera_wire::{Request, Shape, TENANT_OF_CONNECTION, WireError};

/// The rows of a list, read page by page as they are asked for. Made by [`Client::pages`].
///
/// Under writes nothing comes twice, and what is there from the first page to the last comes; what comes or
/// goes meanwhile may be in it or not.
pub struct Pages<T> {
    client: Client,
    tenant: TenantId,
    request: Request,
    rows: std::vec::IntoIter<T>,
    next: Option<Vec<u8>>,
    ended: bool,
}

impl Client {
    /// The rows of a list in the connection's tenant, from where the request begins.
    ///
    /// ```no_run
    /// # async fn example(client: tessera_client::Client) -> Result<(), tessera_client::ClientError> {
    /// use tessera_client::wire::{Request, SubjectRow};
    ///
    /// let mut subjects = client.pages::<SubjectRow>(Request::ListSubjects { after: None, limit: 0 });
    /// while let Some(subject) = subjects.next().await {
    ///     println!("{}", subject?.subject);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pages<T: Shape>(&self, request: Request) -> Pages<T> {
        self.pages_of(TENANT_OF_CONNECTION, request)
    }

    /// As [`Client::pages`], in a tenant that the caller names (operators).
    #[must_use]
    pub fn pages_of<T: Shape>(&self, tenant: TenantId, request: Request) -> Pages<T> {
        let (client, rows) = (self.clone(), Vec::new().into_iter());
        Pages { client, tenant, request, rows, next: None, ended: false }
    }
}

impl<T: Shape> Pages<T> {
    /// The next page of the list; none behind the last. It may be empty and not the last. What is left of a
    /// page that was read row by row is passed over.
    pub async fn page(&mut self) -> Option<Result<Vec<T>, ClientError>> {
        self.rows = Vec::new().into_iter();
        if self.ended {
            return None;
        }
        if let Some(next) = self.next.clone()
            && !self.request.go_on(Some(Private::new(next)))
        {
            self.ended = true;
            return Some(Err(ClientError::Unreadable(WireError::KindUnknown)));
        }
        match self.client.list_of::<T>(self.tenant, &self.request).await {
            Ok(page) => {
                self.ended = page.next.is_none();
                self.next = page.next;
                Some(Ok(page.rows))
            }
            Err(error) => {
                // The same page may be asked for again.
                Some(Err(error))
            }
        }
    }

    /// The next row; none behind the last. After an error the same page is asked for again.
    pub async fn next(&mut self) -> Option<Result<T, ClientError>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.page().await? {
                Ok(rows) => self.rows = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The rows that are left, `most` of them at most: a list may be longer than memory.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn up_to(&mut self, most: usize) -> Result<Vec<T>, ClientError> {
        let mut rows = Vec::new();
        while rows.len() < most {
            match self.next().await {
                Some(row) => rows.push(row?),
                None => break,
            }
        }
        Ok(rows)
    }

    /// Where the list goes on behind the page that was read last; none on the last, and before the first.
    #[must_use]
    pub fn cursor(&self) -> Option<&[u8]> {
        self.next.as_deref()
    }
}
